/**
 * Rate: how many messages somebody may send, as a bucket that holds what a burst may take and fills with time.
 *
 *     10 a second, bursts of 10 s: a full bucket holds 100, an empty one has the next after 100 ms
 *
 * It is counted in thousandths of a message, so that each ms adds a whole number and nothing is lost by rounding.
 *
 * Somebody who has not been heard for a burst's time has a full bucket, as has a stranger: it need not be kept. So
 * the buckets are bounded, and the fullest are forgotten first: nobody ever gets more by it than a stranger has.
 */
import * as Limit from "../runtime/Limit.ts"

export interface Rate {
  readonly perSecond: number
  readonly burstMs: number
}

export const perSecond = (count: number): Rate => ({ perSecond: count, burstMs: Limit.rateBurstMs })

/** What it held at a time (ms since 1970), in thousandths of a message. */
export interface Bucket {
  readonly thousandths: number
  readonly at: number
}

const message = 1_000

export const full = ({ perSecond, burstMs }: Rate, now: number): Bucket => ({
  thousandths: perSecond * burstMs,
  at: now,
})

/** The bucket as it is now. Where the clock was set back nothing is added, and time goes on from there. */
export const filled = (rate: Rate, { thousandths, at }: Bucket, now: number): Bucket => ({
  thousandths: Math.min(full(rate, now).thousandths, thousandths + Math.max(0, now - at) * rate.perSecond),
  at: now,
})

/** Takes one message out of a bucket, or says for how many ms there is none in it. */
export const take = (
  rate: Rate,
  bucket: Bucket,
  now: number,
): { readonly bucket: Bucket; readonly waitMs: number } => {
  const { thousandths } = filled(rate, bucket, now)
  return thousandths >= message
    ? { bucket: { thousandths: thousandths - message, at: now }, waitMs: 0 }
    : { bucket: { thousandths, at: now }, waitMs: Math.ceil((message - thousandths) / rate.perSecond) }
}

export interface Buckets {
  readonly rate: Rate
  /** ms until there is a message in the bucket; 0 where there is one. Nothing is taken. */
  readonly waitMs: (who: string, now: number) => number
  /** Takes one, or says for how many ms there is none; 0 where it is taken. */
  readonly take: (who: string, now: number) => number
  /** Puts one back that was taken for nothing. */
  readonly giveBack: (who: string) => void
  /** Buckets that are kept. */
  readonly size: () => number
}

/** Only tests keep fewer than `Limit.rateBucketsMax`. */
export const buckets = (rate: Rate, bucketsMax: number = Limit.rateBucketsMax): Buckets => {
  const kept = new Map<string, Bucket>()

  /** Makes room for one more; for a sixteenth more where none is full, so that the sorting is seldom. */
  const forget = (now: number): void => {
    const most = full(rate, now).thousandths
    const levels = [...kept].map(([who, bucket]) => [who, filled(rate, bucket, now).thousandths] as const)
    for (const [who, level] of levels) if (level === most) kept.delete(who)
    if (kept.size < bucketsMax) return
    const fullest = levels.toSorted(([, a], [, b]) => b - a)
    for (const [who] of fullest.slice(0, Math.ceil(bucketsMax / 16))) kept.delete(who)
  }

  const tryTake = (who: string, now: number) => {
    const taken = take(rate, kept.get(who) ?? full(rate, now), now)
    // A clock that was set back is seen now, not once it is where it was.
    if (taken.waitMs > 0) kept.set(who, taken.bucket)
    return taken
  }

  return {
    rate,
    size: () => kept.size,
    waitMs: (who, now) => tryTake(who, now).waitMs,
    take: (who, now) => {
      const { bucket, waitMs } = tryTake(who, now)
      if (waitMs > 0) return waitMs
      if (!kept.has(who) && kept.size >= bucketsMax) forget(now)
      kept.set(who, bucket)
      return 0
    },
    giveBack: (who) => {
      const bucket = kept.get(who)
      if (bucket !== undefined) kept.set(who, { ...bucket, thousandths: bucket.thousandths + message })
    },
  }
}
