/** A thread that adopts the engine it is given and says what it computes with it. */
import { parentPort, workerData } from "node:worker_threads"
import * as Engine from "../../compute-unit/Engine.ts"
import { Stage } from "./Stage.ts"

Engine.adopt(workerData as Engine.ScriptEngine) // given by the test
const stage = new Stage(`heddle.on("X", () => Math.random())`)
parentPort!.postMessage({ adopted: Engine.load() === workerData, value: stage.value("X"), root: stage.root })
