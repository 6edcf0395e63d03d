// Package wire is the client protocol on paper: what a frame looks like in bytes, and what its body
// means. It reads no socket and knows no rule of conversations; transport moves the frames, chat and
// the client library give them their meaning.
//
// What it promises:
//   - A frame is refused at the first byte that is wrong, and nothing is allocated because of a
//     length that somebody declared.
//   - Both codecs say the same. What one codec takes the other takes, and a value that goes through
//     either comes back equal. Unknown fields are ignored, unknown enum values read as zero.
//   - Output is deterministic: the same message gives the same bytes, always.
//   - The work that a body can cause is bounded by its own length and by the limits in limits.go,
//     before any of it is built.
//
// In the order of the trip: frame.go (the header), text.go (the same frame as a WebSocket text
// message), codec.go (bodies to messages and back), limits.go (what is refused unread), bodies.go
// (which message each type carries). The messages themselves are in clientpb, generated from
// proto/liao/client/v1/client.proto. Examples for writers of other clients are in
// testdata/vectors.
package wire
