/**
 * Index of Arweave: pieces by their tags, as the GraphQL of all gateways together says.
 *
 * A gateway is asked twice: for carriers, which it knows if it unpacks bundles, and for transactions by their own tags
 * (`Carrier.ts`). A transaction that it has not unpacked is opened here. No gateway is believed to know everything, so
 * their lists are merged, by height; one that fails is left out as long as another gets to its end.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { type ArchiveUnavailable, type Found, matches, type Query } from "./Archive.ts"
import * as Gateway from "./ArweaveGateway.ts"
import type { Reader } from "./ArweaveReader.ts"
import * as Bytes from "./Bytes.ts"
import * as Carrier from "./Carrier.ts"
import * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"
import type * as Tag from "./Tag.ts"

const listText = `query ($tags: [TagFilter!], $first: Int, $after: String, $block: BlockFilter) {
  transactions(tags: $tags, first: $first, after: $after, block: $block, sort: HEIGHT_ASC) {
    pageInfo { hasNextPage }
    edges { cursor node { id tags { name value } data { size } block { height } bundledIn { id } } }
  }
}`

const insideText = `query ($ids: [ID!]) {
  transactions(bundledIn: $ids, first: 1) {
    pageInfo { hasNextPage }
    edges { cursor node { id tags { name value } data { size } block { height } bundledIn { id } } }
  }
}`

interface Node {
  readonly id: Id.Id
  readonly tags: ReadonlyArray<Tag.Tag>
  readonly size: number
  readonly height: number | undefined
  readonly bundledIn: Id.Id | undefined
}

interface Page {
  readonly nodes: ReadonlyArray<Node>
  /** Where the next page begins; undefined after the last. */
  readonly next: string | undefined
}

type Fields = Readonly<Record<string, unknown>>

const object = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {} // an object
const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => (typeof value === "string" ? value : "")

const node = (value: unknown): Node | undefined => {
  const { id, tags, data, block, bundledIn } = object(value)
  const name = Id.parse(text(id))
  if (name === undefined) return undefined
  const height = object(block)["height"]
  const size = Number(object(data)["size"])
  return {
    id: name,
    tags: list(tags).map((tag) => ({ name: text(object(tag)["name"]), value: text(object(tag)["value"]) })),
    size: Number.isSafeInteger(size) && size >= 0 ? size : 0,
    height: typeof height === "number" && Number.isSafeInteger(height) && height >= 0 ? height : undefined,
    bundledIn: Id.parse(text(object(bundledIn)["id"])),
  }
}

/** One page from one gateway. */
const page = (gateway: string, query: string, variables: object): Gateway.Way<Page> => {
  const question = { path: "/graphql", json: JSON.stringify({ query, variables }) }
  return Effect.flatMap(Gateway.ask(gateway, question), (answer) => {
    const failed = (reason: Gateway.GatewayFailed["reason"]) =>
      Effect.fail(
        new Gateway.GatewayFailed({ gateway, reason, detail: `its index: ${Gateway.said(answer)}` }),
      )
    if (answer.status !== 200) return failed("refused")
    let value: unknown
    try {
      value = JSON.parse(Bytes.toText(answer.bytes) ?? "")
    } catch {
      return failed("wrong answer")
    }
    const { pageInfo, edges } = object(object(object(value)["data"])["transactions"])
    if (!Array.isArray(edges)) return failed("wrong answer")
    const cursor = text(object(edges.at(-1))["cursor"])
    return Effect.succeed({
      nodes: edges.map((edge) => node(object(edge)["node"])).filter((one) => one !== undefined),
      next: object(pageInfo)["hasNextPage"] === true && cursor !== "" ? cursor : undefined,
    })
  })
}

/** One list of one gateway, read page by page. */
interface Source {
  readonly gateway: string
  readonly query: Query
  readonly found: (node: Node) => Effect.Effect<ReadonlyArray<Found>>
  readonly waiting: Array<Found>
  after: string | undefined
  pages: number
  /** `reading`, at its `end`, or the failure that ended it. */
  state: "reading" | "end" | Gateway.GatewayFailed
}

const fill = Effect.fnUntraced(function* (source: Source) {
  while (source.state === "reading" && source.waiting.length === 0) {
    const { gateway, query, after } = source
    const variables = {
      tags: query.tags,
      first: Limit.gatewayPageMax,
      ...(after === undefined ? {} : { after }),
      ...(query.heightMin === undefined ? {} : { block: { min: query.heightMin } }),
    }
    const [got] = yield* Gateway.fromEach([page(gateway, listText, variables)])
    if (Result.isFailure(got!)) {
      source.state = got.failure
      return
    }
    for (const node of got!.success.nodes) source.waiting.push(...(yield* source.found(node)))
    source.after = got!.success.next
    source.pages += 1
    if (source.after === undefined) source.state = "end"
    else if (source.after === after || source.pages >= Limit.gatewayPagesMax)
      source.state = new Gateway.GatewayFailed({
        gateway,
        reason: "wrong answer",
        detail: `its index has no end after ${source.pages} pages`,
      })
  }
})

const heightOf = (source: Source): number => source.waiting[0]?.height ?? Number.POSITIVE_INFINITY

export const find = (
  gateways: ReadonlyArray<string>,
  reader: Reader,
  query: Query,
): Stream.Stream<Found, ArchiveUnavailable> =>
  Stream.suspend(() => {
    const seen = new Set<string>()
    const opened = new Set<Id.Id>()

    const carriers = ({ id, tags, size, height, bundledIn }: Node): Effect.Effect<ReadonlyArray<Found>> =>
      Effect.succeed(
        bundledIn === undefined || !matches(query, tags)
          ? []
          : [{ location: `${bundledIn}/${id}`, tags, size, height }],
      )

    /** Pieces of a transaction that the gateway has not unpacked. */
    const transactions = (gateway: string) =>
      Effect.fnUntraced(function* ({ id, height }: Node): Effect.fn.Return<ReadonlyArray<Found>> {
        if (opened.has(id)) return []
        const [inside] = yield* Gateway.fromEach([page(gateway, insideText, { ids: [id] })])
        const unpacked = Result.isSuccess(inside!) && inside.success.nodes.some((one) => one.bundledIn === id)
        if (unpacked) return []
        opened.add(id)
        // One that can't be read, or is no bundle, must not stand before all the others: anybody can send one.
        const carried = yield* Effect.orElseSucceed(reader.carried(id), () => [])
        return carried
          .filter(({ tags }) => matches(query, tags))
          .map(({ carrier, tags, size }) => ({
            location: `${id}/${Bytes.toBase64Url(carrier)}`,
            tags,
            size,
            height,
          }))
      })

    const source = (gateway: string, query: Query, found: Source["found"]): Source => ({
      gateway,
      query,
      found,
      waiting: [],
      after: undefined,
      pages: 0,
      state: "reading",
    })
    const sources = gateways.flatMap((gateway) => [
      source(gateway, query, carriers),
      source(gateway, Carrier.transactionQuery(query), transactions(gateway)),
    ])

    const end = (): Effect.Effect<void, ArchiveUnavailable> => {
      const failures = sources.flatMap(({ state }) => (typeof state === "string" ? [] : [state]))
      const failed = new Set(failures.map(({ gateway }) => gateway))
      return gateways.some((gateway) => !failed.has(gateway))
        ? Effect.void
        : Effect.fail(Gateway.unavailable({ failures }))
    }

    const next = Effect.fnUntraced(function* () {
      yield* Effect.forEach(sources, fill, { concurrency: "unbounded", discard: true })
      const [first, second] = sources
        .filter(({ waiting }) => waiting.length > 0)
        .toSorted((a, b) => heightOf(a) - heightOf(b) || 0)
      if (first === undefined) {
        yield* end()
        return [[], Option.none<void>()] as const
      }
      const until = second === undefined ? Number.POSITIVE_INFINITY : heightOf(second)
      const found: Array<Found> = []
      while (first.waiting.length > 0 && heightOf(first) <= until) {
        const one = first.waiting.shift()!
        if (!seen.has(one.location)) found.push(one)
        seen.add(one.location)
      }
      return [found, Option.some<void>(undefined)] as const
    })
    return Stream.paginate<void, Found, ArchiveUnavailable>(undefined, next)
  })
