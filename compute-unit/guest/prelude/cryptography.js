/**
 * Hashes, signatures and base64url for authors. Hashes and signatures are the host's work (`Intrinsic.ts`): data goes
 * there in the buffer, or, where it is longer than that, in the turn's output, which is cut again afterwards.
 */
export function cryptography(kit) {
  const { limits, hash: hashAt, digestOf, verify: verifyAt, write, unwrite, io, turn } = kit
  const { flat, putText, answer32, eachChunk, bytesOfText, isBytes, bytesLength, eachPiece } = kit
  const { copyInto, window, messageOf } = kit
  const { TypeError, RangeError, Uint8Array } = globalThis
  const { isSafeInteger } = Number

  /** What the buffer takes from 32 on. */
  const roomBytes = limits.ioBytes - 32

  // ---- hashes

  /** Numbers of the host's table, and bytes of a digest; SHAKE gives as many as are asked for. */
  const algorithms = {
    __proto__: null,
    sha256: { number: 1, bytes: 32 },
    sha384: { number: 2, bytes: 48 },
    sha512: { number: 3, bytes: 64 },
    "sha3-256": { number: 4, bytes: 32 },
    "sha3-384": { number: 5, bytes: 48 },
    "sha3-512": { number: 6, bytes: 64 },
    shake128: { number: 7, bytes: 0 },
    shake256: { number: 8, bytes: 0 },
  }
  const sizeOf = (name, bytes, length) => {
    if (bytes === 0) {
      if (isSafeInteger(length) && length >= 1 && length <= limits.ioBytes) return length
      throw new RangeError(name + " takes the number of bytes that it shall give, 1 to " + limits.ioBytes)
    }
    if (length !== undefined && length !== bytes)
      throw new RangeError(name + " gives " + bytes + " bytes, not " + messageOf(length))
    return bytes
  }
  const hashLong = (number, data, size) => {
    let total = 0
    const piece = (length) => {
      total += length
      if (total > limits.dataBytes)
        throw new RangeError("a hash is of at most " + limits.dataBytes + " bytes of data")
      write(32, length)
    }
    try {
      if (isBytes(data)) eachPiece(data, piece)
      else eachChunk(data, piece)
      digestOf(number, turn.outputBytes, size)
    } finally {
      unwrite(turn.outputBytes)
    }
  }
  const hash = (name, data, length) => {
    const algorithm = typeof name === "string" ? algorithms[name] : undefined
    if (algorithm === undefined) throw new RangeError('there is no hash "' + messageOf(name) + '"')
    const { number, bytes } = algorithm
    const size = sizeOf(name, bytes, length)
    if (isBytes(data)) {
      const given = bytesLength(data)
      if (given > roomBytes) hashLong(number, data, size)
      else {
        copyInto(io, data, 32)
        hashAt(number, 32, given, size)
      }
    } else if (typeof data === "string") {
      const text = flat(data)
      const written = putText(text, 0, 32)
      if (answer32(4) < text.length) hashLong(number, text, size)
      else hashAt(number, 32, written, size)
    } else throw new TypeError("a hash is of a text or a Uint8Array, not of a " + typeof data)
    const digest = new Uint8Array(size)
    copyInto(digest, window(0, size), 0)
    return digest
  }

  // ---- signatures

  const schemes = {
    __proto__: null,
    "ML-DSA-44": { number: 1044, context: true },
    "ML-DSA-65": { number: 1065, context: true },
    "ML-DSA-87": { number: 1087, context: true },
    Ed25519: { number: 2, context: false },
    "RSA-PSS-4096": { number: 1, context: false },
    Ethereum: { number: 3, context: false },
  }
  /** Leaves 8,160 bytes of the buffer for key, signature and context; the longest of them take 7,474. */
  const signedBytesMax = 57_344

  const bytesOf = (value, what) => {
    if (!isBytes(value)) throw new TypeError("the " + what + " is a Uint8Array, not a " + typeof value)
    return value
  }
  const tooLong = () =>
    new RangeError("a message to verify has at most " + signedBytesMax + " bytes: sign and verify its hash")
  const verify = ({ type, key, message, signature, context = "" }) => {
    const scheme = typeof type === "string" ? schemes[type] : undefined
    if (scheme === undefined) throw new RangeError('there is no type of signature "' + messageOf(type) + '"')
    const bound = typeof context === "string" ? bytesOfText(context) : bytesOf(context, "context")
    const boundLength = bytesLength(bound)
    if (boundLength > 0 && !scheme.context) throw new TypeError(type + " has no context")
    const keyLength = bytesLength(bytesOf(key, "key"))
    const signatureLength = bytesLength(bytesOf(signature, "signature"))
    let length
    if (typeof message === "string") {
      const text = flat(message)
      length = putText(text, 0, 32)
      if (answer32(4) < text.length || length > signedBytesMax) throw tooLong()
    } else {
      length = bytesLength(bytesOf(message, "message"))
      if (length > signedBytesMax) throw tooLong()
      copyInto(io, message, 32)
    }
    const keyAt = 32 + length
    const signatureAt = keyAt + keyLength
    const contextAt = signatureAt + signatureLength
    if (contextAt + boundLength > limits.ioBytes) return false // longer than any that is good
    copyInto(io, key, keyAt)
    copyInto(io, signature, signatureAt)
    copyInto(io, bound, contextAt)
    verifyAt(
      scheme.number,
      keyAt,
      keyLength,
      32,
      length,
      signatureAt,
      signatureLength,
      contextAt,
      boundLength,
    )
    return io[0] === 1
  }

  // ---- base64url

  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  const digitValues = { __proto__: null }
  for (let i = 0; i < 64; i++) digitValues[digits[i]] = i

  const toBase64Url = (value) => {
    const bytes = bytesOf(value, "value")
    const length = bytesLength(bytes)
    let text = ""
    for (let at = 0; at < length; at += 3) {
      const three = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
      text += digits[three >> 18] + digits[(three >> 12) & 63]
      if (at + 1 < length) text += digits[(three >> 6) & 63]
      if (at + 2 < length) text += digits[three & 63]
    }
    return text
  }
  const fromBase64Url = (text) => {
    const refuse = () => new TypeError("the text is not base64url without padding")
    if (typeof text !== "string" || text.length % 4 === 1) throw refuse()
    const bytes = new Uint8Array((text.length * 3) >>> 2)
    let held = 0
    let bits = 0
    let at = 0
    for (let i = 0; i < text.length; i++) {
      const value = digitValues[text[i]]
      if (value === undefined) throw refuse()
      held = ((held << 6) | value) & 0xfff
      bits += 6
      if (bits < 8) continue
      bits -= 8
      bytes[at++] = held >> bits
    }
    // One spelling for each: what is over of the last digit is zero.
    if ((held & ((1 << bits) - 1)) !== 0) throw refuse()
    return bytes
  }

  return { library: { hash, verify, toBase64Url, fromBase64Url } }
}
