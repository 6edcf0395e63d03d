// Package contract holds the real binary to docs/protocol.md: everything in its
// tests is written from that page, with JSON over plain HTTP and raw TCP sockets.
package contract
