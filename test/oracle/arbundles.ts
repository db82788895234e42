/**
 * Oracle: `@dha-team/arbundles`, installed beside this file when a test first asks for it.
 *
 * Its optional parts (wallets for other chains) and install scripts (native builds that it can do without)
 * are left out, and it is loaded file by file, because its entry point wants the optional parts.
 */
import child from "node:child_process"
import fs from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

export interface DataItem {
  readonly id: string
  readonly rawOwner: Buffer
  readonly rawTarget: Buffer
  readonly rawAnchor: Buffer
  readonly rawData: Buffer
  readonly rawSignature: Buffer
  readonly tags: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly getRaw: () => Buffer
  readonly getSignatureData: () => Promise<Uint8Array>
  readonly sign: (signer: Signer) => Promise<Buffer>
  readonly isValid: () => Promise<boolean>
}

export interface Signer {
  readonly publicKey: Buffer
  readonly sign: (message: Uint8Array) => Promise<Uint8Array> | Uint8Array
}

export interface Bundle {
  readonly items: ReadonlyArray<DataItem>
  readonly getRaw: () => Buffer
  readonly verify: () => Promise<boolean>
}

export interface Arbundles {
  readonly DataItem: (new (bytes: Buffer) => DataItem) & {
    readonly verify: (bytes: Buffer) => Promise<boolean>
  }
  readonly createData: (
    data: Uint8Array,
    signer: Signer,
    options: {
      readonly target?: string
      readonly anchor?: Uint8Array
      readonly tags?: ReadonlyArray<{ readonly name: string; readonly value: string }>
    },
  ) => DataItem
  readonly Bundle: new (bytes: Buffer) => Bundle
  readonly bundleAndSignData: (items: ReadonlyArray<DataItem>, signer: Signer) => Promise<Bundle>
  readonly serializeTags: (tags: ReadonlyArray<{ readonly name: string; readonly value: string }>) => Buffer
  readonly ArweaveSigner: new (jwk: object) => Signer
  readonly EthereumSigner: new (key: string) => Signer
  /** The key is base58 of seed and public key, as Solana's wallets write it. */
  readonly SolanaSigner: new (key: string) => Signer
  readonly base58: (bytes: Uint8Array) => string
}

const folder = fileURLToPath(new URL("./", import.meta.url))

/** Installs on first use. False where npm can't, which CI takes for a failure. */
const install = (): boolean => {
  if (fs.existsSync(`${folder}node_modules/.package-lock.json`)) return true
  console.log("installing the oracle @dha-team/arbundles into test/oracle, once, some seconds")
  const options = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--prefer-offline"]
  const npm = child.spawnSync("npm", ["install", "--prefix", folder, ...options], {
    cwd: folder,
    encoding: "utf8",
  })
  if (npm.status === 0) return true
  const detail = npm.error?.message ?? npm.stderr
  if (process.env["CI"] === "true") throw new Error(`npm install in test/oracle failed: ${detail}`)
  console.log(`skipped: arbundles: npm install in test/oracle failed: ${detail.trim().split("\n").at(-1)}`)
  return false
}

/** `undefined` where it can't be installed and need not be. */
export const load = (): Arbundles | undefined => {
  if (!install()) return undefined
  const require = createRequire(`${folder}package.json`)
  const part = (file: string) =>
    require(`@dha-team/arbundles/build/node/cjs/src/${file}`) as Record<string, never>
  return {
    DataItem: part("DataItem")["DataItem"]!,
    createData: part("ar-data-create")["createData"]!,
    Bundle: part("Bundle")["Bundle"]!,
    bundleAndSignData: part("ar-data-bundle")["bundleAndSignData"]!,
    serializeTags: part("tags")["serializeTags"]!,
    ArweaveSigner: part("signing/chains/ArweaveSigner")["default"]!,
    EthereumSigner: part("signing/chains/ethereumSigner")["default"]!,
    SolanaSigner: part("signing/chains/SolanaSigner")["default"]!,
    base58: (require("bs58") as { readonly encode: (bytes: Uint8Array) => string }).encode,
  }
}
