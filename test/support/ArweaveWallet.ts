/** A wallet that anybody can read: it holds nothing, and saves the second that making a key takes. */
import fs from "node:fs"
import * as Result from "effect/Result"
import * as ArweaveWallet from "../../runtime/ArweaveWallet.ts"

export const text = fs.readFileSync(new URL("./wallet.json", import.meta.url), "utf8")

export const wallet = Result.getOrThrow(ArweaveWallet.read(text))
