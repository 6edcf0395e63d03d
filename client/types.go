package client

import (
	"encoding/json"
	"time"
)

// User is what everyone may know of an account. Of a deleted account only the
// ID is left.
type User struct {
	ID     uint64 `json:"id,string"`
	Handle string `json:"handle,omitempty"` // [a-z][a-z0-9_]{2,31}, unique
	Name   string `json:"name,omitempty"`   // as shown
	Avatar string `json:"avatar,omitempty"` // SHA-256 of the picture in hex; empty: none
	Bio    string `json:"bio,omitempty"`
}

// Device is a client as its user sees it in the list of logins.
type Device struct {
	ID       string `json:"id,omitempty"` // as an earlier Login gave it; empty: a new device
	Name     string `json:"name"`
	Platform string `json:"platform"` // such as "terminal", "bot", "ios"
}

// Addrs are the addresses of one chat node; those that it does not offer are empty.
type Addrs struct {
	TCP string `json:"tcp,omitempty"` // host:port
	TLS string `json:"tls,omitempty"` // host:port
	WS  string `json:"ws,omitempty"`  // ws:// or wss:// URL
}

// Content is what an entry says. Text makes an ordinary one.
type Content struct {
	Kind    string          `json:"kind"`              // "text", "x-..." of applications, or one of the server's own
	Text    string          `json:"text,omitempty"`    // what to show, also for a kind that the reader does not know
	Data    json.RawMessage `json:"data,omitempty"`    // a JSON object, or nil
	ReplyTo uint32          `json:"replyTo,omitempty"` // an entry of the same conversation; 0: none
}

// Text is the content of an ordinary message.
func Text(s string) Content { return Content{Kind: "text", Text: s} }

// Message is an entry of a conversation's log: somebody's message, or an event
// that the server wrote.
type Message struct {
	Conv    uint64
	Seq     uint32 // 1, 2, 3 ... without gaps
	From    uint64 // 0: the server
	Key     string // of the own messages only
	At      time.Time
	Content Content
}

// Sent is where a send was stored.
type Sent struct {
	Conv  uint64
	Key   string
	Seq   uint32
	At    time.Time
	Again bool // it was stored before; Seq and At are the original's
}

// ConversationKind says what sort of conversation it is.
type ConversationKind string

// The kinds of conversations. Every user has one inbox, where the server
// writes events such as friend requests.
const (
	Direct ConversationKind = "direct"
	Group  ConversationKind = "group"
	Inbox  ConversationKind = "inbox"
)

// Conversation is a conversation as its member sees it.
type Conversation struct {
	ID       uint64
	Kind     ConversationKind
	Title    string   // of a group
	Peer     User     // direct: the other member
	Head     uint32   // the newest entry's number
	Read     uint32   // how far this user has read, on any device
	PeerRead uint32   // direct: how far the other has read
	Last     *Message // the entry at Head; nil if there is none
	Updated  time.Time
	Left     bool // no longer a member
	Closed   bool // takes no entries from this user now
	Members  int  // of a group
}

// Unread is how many entries there are beyond the read watermark.
func (c Conversation) Unread() int { return max(0, int(c.Head)-int(c.Read)) }

// HistoryQuery asks for entries with After < Seq, the oldest first to be given;
// or, if Before is set, for those with After < Seq < Before, the newest first to
// be given. Limit is 1 to 200; 0 means 50.
type HistoryQuery struct {
	Conv   uint64
	After  uint32
	Before uint32
	Limit  int
}

// Page is a part of a conversation's log, ascending by Seq.
type Page struct {
	Messages []Message
	Head     uint32
	More     bool   // further entries exist in the direction asked
	Users    []User // the senders, each once
}

// Friend is one of the user's friends.
type Friend struct {
	User     User
	Remark   string // the own private name for them
	Conv     uint64 // the direct conversation
	Online   bool
	LastSeen time.Time // zero: not known
	Blocked  bool      // by this user
}

// FriendRequest is a request that waits, seen from either side.
type FriendRequest struct {
	User     User // the other side
	Greeting string
	At       time.Time
}

// Contacts is everybody this user has to do with.
type Contacts struct {
	Friends  []Friend
	Requests []FriendRequest // wait for this user's answer
	Asked    []FriendRequest // this user's own that were not accepted, for 30 days
	Blocked  []User
}
