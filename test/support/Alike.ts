/** What two sides of a wire say alike, whatever kind of byte array they say it in. */
import * as Bytes from "../../runtime/Bytes.ts"

export const alike = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Bytes.toHex(value)
  if (Array.isArray(value)) return value.map(alike)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, alike(field)]))
}
