package im

// Kind says what sort of conversation it is.
type Kind string

const (
	Direct Kind = "direct"
	Group  Kind = "group"
	Inbox  Kind = "inbox"
)

// Conversation is one conversation as one of its members sees it.
type Conversation struct {
	ID       ConvID
	Kind     Kind
	Title    string // group
	Peer     *User  // direct: the other member; of a deleted account only the id
	Head     Seq
	Read     Seq    // this member's read watermark
	PeerRead Seq    // direct: the other's
	Last     *Entry // the entry at Head; nil if there is none
	Updated  Millis // when Last was appended, or the conversation made
	Left     bool   // no longer a member: the fields are those of leaving
	Closed   bool   // takes no entries from this member now
	Members  int    // group
}

// HistoryQuery asks for entries of one conversation, as the contract's History.
type HistoryQuery struct {
	User     UserID
	Conv     ConvID
	After    Seq
	Before   Seq // 0: none
	Limit    int // entries, 1..200
	MaxBytes int // about how many bytes of content a page may hold; one entry is always given
}

// HistoryPage is the answer: entries ascending by Seq.
type HistoryPage struct {
	Entries []Entry
	Head    Seq
	More    bool   // further entries exist in the direction asked
	Users   []User // the senders, each once
}

// ChangePos is a place in the list of a user's conversations, newest first.
type ChangePos struct {
	Moved Micros
	Conv  ConvID
}

// ChangesQuery asks which of a user's conversations moved after Floor, newest first
// by (moved, id), from before Before on (zero: from the newest).
type ChangesQuery struct {
	User     UserID
	Floor    Micros
	Before   ChangePos
	Limit    int
	MaxBytes int
}

// ChangesPage is the answer. Now is the database's clock read before the first row.
type ChangesPage struct {
	Conversations []Conversation
	Last          ChangePos // the place of the last one given
	More          bool
	Now           Micros
}

// ReadMark is a member's wish to move the own read watermark to Seq.
type ReadMark struct {
	User UserID
	Conv ConvID
	Seq  Seq
}

// Marked is what became of one ReadMark.
type Marked struct {
	Seq   Seq    // where the watermark stands now
	Moved bool   // whether this mark moved it
	Peer  UserID // direct, and neither blocked the other: who is to be told; else 0
	Err   error
}
