/**
 * Signs once on a pool that is never closed. Its idle workers must not keep this program alive; a waiting one
 * must.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Identity from "../../identity/Identity.ts"
import * as SignaturePool from "../../identity/SignaturePool.ts"
import * as SignerPool from "../../identity/SignerPool.ts"
import * as Bytes from "../../runtime/Bytes.ts"

const scope = Scope.makeUnsafe()
const pool = Effect.runSync(Scope.provide(SignaturePool.make({ size: 2 }), scope))
const signer = SignerPool.make(pool, Effect.runSync(Identity.generate()))

// Nothing but the pool keeps the program alive here: a callback holds no event loop.
Effect.runFork(signer.sign("heddle/batch/1", Bytes.u8(1))).addObserver((exit) => {
  process.stdout.write(Exit.isSuccess(exit) ? "signed\n" : "failed\n")
})
