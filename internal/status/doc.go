// Package status knows which chat nodes live and how loaded they are, and says
// where a newcomer should connect.
//
// Promises:
//   - A node is named only while its lease holds and it takes newcomers. It renews
//     the lease with every report; one that dies is gone when the lease ends.
//   - Newcomers are spread at random, in proportion to the free places of each
//     node: so the emptiest node gets the most, but a crowd that comes at once
//     (as when a node has died) is not sent to one node alone.
//   - If the registry is away, what it last said is good for ten minutes more: a
//     client that is sent to a dead node goes on to the next of the list.
//
// The service keeps nothing but that last answer; the truth is in the registry. So
// any number of them may run over one registry, and their answers need not agree
// word by word. In one process the gate and the chat service call it directly, and
// the registry is in memory; with many nodes they call it through its door, and
// the registry is shared. Nothing here differs between the two.
//
// Files: needs.go (the registry), status.go (what nodes say, and the list), spread.go
// (the order in which newcomers get it), metrics.go.
package status
