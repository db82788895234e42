/** Writes `spec/vectors/*.json`: `node test/vectors/generate.ts`. The same bytes each time. */
import fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as Make from "./make.ts"
import { archive } from "./makeArchive.ts"
import { frames } from "./makeFrames.ts"
import { inadmissible } from "./makeInadmissible.ts"
import { order } from "./makeOrder.ts"
import { outbox } from "./makeOutbox.ts"
import { outcome } from "./makeOutcome.ts"
import { plainModule } from "./makePlain.ts"
import { signature } from "./makeSignatures.ts"

export const files = {
  "id.json": Make.id,
  "merkle.json": Make.merkle,
  "item.json": Make.item,
  "signature.json": signature,
  "order.json": order,
  "inadmissible.json": inadmissible,
  "outcome.json": outcome,
  "outbox.json": outbox,
  "plain-module.json": plainModule,
  "archive.json": archive,
  "frames.json": frames,
}

export const write = (content: unknown): string => `${JSON.stringify(content, null, 1)}\n`

if (import.meta.main)
  for (const [name, make] of Object.entries(files))
    fs.writeFileSync(fileURLToPath(new URL(`../../spec/vectors/${name}`, import.meta.url)), write(make()))
