import * as Layer from "effect/Layer"
import * as SignaturePool from "../../identity/SignaturePool.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as VerifierPool from "../../identity/VerifierPool.ts"
import { verifierSuite } from "../compliance/verifier.ts"

const pool = (size: number) => VerifierPool.layer.pipe(Layer.provide(SignaturePool.layer({ size })))

verifierSuite("on the calling thread", VerifierLocal.layer)
verifierSuite("pool of one", pool(1))
verifierSuite("pool of two", pool(2))
