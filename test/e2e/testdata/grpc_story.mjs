// What gRPC for Node.js sees of a service: ADDRESS, HOST, CA file and proto file are the arguments.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'

const [address, host, ca, proto] = process.argv.slice(2)
const { TestService } = grpc.loadPackageDefinition(loader.loadSync(proto, { keepCase: true })).grpc.testing
const client = new TestService(address, grpc.credentials.createSsl(readFileSync(ca)), {
  'grpc.ssl_target_name_override': host, 'grpc.default_authority': host,
  'grpc.max_receive_message_length': 32 << 20, 'grpc.max_send_message_length': 32 << 20,
})
const unary = (method, request, metadata = new grpc.Metadata(), options = {}) => new Promise(resolve => {
  const seen = {}
  const call = client[method](request, metadata, options, (error, answer) => { seen.error = error; seen.answer = answer })
  call.on('metadata', m => { seen.head = m })
  call.on('status', s => { resolve({ ...seen, status: s }) })
})
const ends = stream => new Promise(resolve => {
  const got = []
  stream.on('data', d => got.push(d.payload?.body?.length ?? 0))
  stream.on('error', () => {})
  stream.on('status', status => resolve({ got, status }))
})
const asks = (...sizes) => ({ response_parameters: sizes.map(size => ({ size })) })

// Metadata, both ways.
const metadata = new grpc.Metadata()
metadata.set('x-grpc-test-echo-initial', 'one')
metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from([0, 255, 171]))
let r = await unary('EmptyCall', {}, metadata)
assert.equal(r.status.code, grpc.status.OK)
assert.deepEqual(r.head.get('x-grpc-test-echo-initial'), ['one'])
assert.deepEqual(r.status.metadata.get('x-grpc-test-echo-trailing-bin')[0], Buffer.from([0, 255, 171]))

// Large messages.
const large = 8 << 20
r = await unary('UnaryCall', { response_size: large, payload: { body: Buffer.alloc(large) } })
assert.equal(r.answer?.payload.body.length, large, String(r.error))

// Statuses, and a method that is not there.
const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
r = await unary('UnaryCall', { response_status: { code: 2, message: special } })
assert.equal(r.status.code, grpc.status.UNKNOWN)
assert.equal(r.status.details, special)
assert.equal((await unary('UnimplementedCall', {})).status.code, grpc.status.UNIMPLEMENTED)

// Streams: from the client, from the server, both.
const sum = await new Promise((resolve, reject) => {
  const up = client.StreamingInputCall((error, answer) => (error ? reject(error) : resolve(answer.aggregated_payload_size)))
  for (const n of [27182, 8, 1828, 45904]) up.write({ payload: { body: Buffer.alloc(n) } })
  up.end()
})
assert.equal(sum, 74922)
assert.deepEqual((await ends(client.StreamingOutputCall(asks(31415, 9, 2653, 58979)))).got, [31415, 9, 2653, 58979])
const both = client.FullDuplexCall()
for (const n of [31415, 9, 2653]) {
  const next = new Promise((resolve, reject) => { both.once('data', resolve); both.once('error', reject) })
  both.write({ ...asks(n), payload: { body: Buffer.alloc(n) } })
  assert.equal((await next).payload.body.length, n)
}
const ended = ends(both)
both.end()
assert.equal((await ended).status.code, grpc.status.OK)

// Deadline and cancellation.
const endless = { ...asks(1), response_status: { message: 'every 50ms' } }
let end = await ends(client.StreamingOutputCall(endless, new grpc.Metadata(), { deadline: Date.now() + 500 }))
assert.equal(end.status.code, grpc.status.DEADLINE_EXCEEDED)
const given = client.StreamingOutputCall(endless)
setTimeout(() => given.cancel(), 300)
end = await ends(given)
assert.equal(end.status.code, grpc.status.CANCELLED)
assert.ok(end.got.length > 1)

// Longer than a request may take.
const long = client.StreamingOutputCall(endless)
setTimeout(() => long.cancel(), 12_000)
end = await ends(long)
assert.equal(end.status.code, grpc.status.CANCELLED)
assert.ok(end.got.length > 20, `${end.got.length} messages`)
client.close()
