// Package transport carries whole frames over TCP, TLS and WebSocket, for the server and for clients.
// It knows where a frame begins and ends and nothing of what it means: what to answer, and when to
// hang up, is for those who hold the Conn.
//
// What it promises:
//   - A connection has the one goroutine that reads it, and no buffer while it is silent: the buffer
//     is borrowed when bytes are there and given back before the next wait.
//   - Memory grows with bytes that came, never with a length that was declared.
//   - A frame that has begun is complete within Options.PartialTimeout, or the read ends.
//   - What was written before Close reaches a peer that reads.
//   - A peer's address is its own or the one a configured proxy vouches for; a stranger's claim
//     counts for nothing.
//
// In the order of the trip: listen.go (accept), proxy.go (who is it really), lobby.go (how many may
// wait before they have said who they are), stream.go with poll_unix.go and deadline.go (frames over
// TCP and TLS), origin.go and websocket.go (frames as WebSocket messages), dial.go (the other end).
package transport
