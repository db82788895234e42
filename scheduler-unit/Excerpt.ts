/**
 * Excerpt: says in a store that its log has only some of the processes of its scheduler (spec 07 §10). Which others there
 * are, nobody knows there: a spawn that comes again would get slot 0 a second time, under another head. So none gets one.
 */
import type { Put, Store } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"

const table = Table.make<[], true>("excerpt")

/** Whether the log is one. */
export const is = (store: Store["Service"]): boolean => table.get(store) !== undefined

/** Says it, for as long as the store is there. */
export const put: Put = table.put([], true)
