/** Makes unsealed keys without end, until killed: `node MakeKeys.ts <folder> <prefix>`. */
import * as Effect from "effect/Effect"
import * as KeyFolder from "../../identity/KeyFolder.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

const [folder, prefix] = process.argv.slice(2)
const keys = KeyFolder.at(folder!)

for (let n = 0; ; n++) {
  await Effect.runPromise(keys.create(`${prefix}-${n}`, "unsealed", SignatureType.mlDsa44))
  if (n === 0) process.stdout.write("started\n")
}
