// Package chat is the room of long connections: it proves who connects, commits
// what they send, pushes it to the devices that are on line, and answers what a
// client asks to catch up.
//
// Its promises:
//   - SENT is written only after the entry is committed and flushed.
//   - The goroutine that read a frame carries it all the way to the push. There
//     are no stages and no channels between them; batching hides inside one
//     blocking call (internal/batch) where many connections meet.
//   - A push is a hint. It never waits for a reader: who does not keep up is hung
//     up on, and what is lost anywhere is counted and can be had by SYNC.
//   - A connection that is silent has one goroutine, no timer and no buffer.
//     Everything that a connection can make us hold is bounded.
//   - From the moment a draft is in a batch nothing that happens to its sender
//     touches it, and a panic over one frame ends one connection at most.
//
// In the order of the trip: needs.go (what the room asks of others), service.go,
// session.go (from a frame to its handler), workers.go (who calls the store), hello.go, send.go with poison.go,
// deliver.go (the push), away.go (the push to other nodes), hub.go (who is here),
// outbox.go (what waits to be written), goaway.go (how a connection ends).
//
// What else is asked: history.go, sync.go with cursor.go, read.go, typing.go,
// friends.go with contacts.go. What goes on beside: heartbeat.go, lease.go,
// routes.go, revoke.go, presence.go, sightings.go, hints.go, drain.go.
// What all of them use: bodies.go (domain to wire and back), errors.go, limits.go,
// metrics.go.
package chat
