package im

// FriendAsk is one user's wish to be another's friend.
type FriendAsk struct {
	From     UserID
	To       UserID
	Greeting string // up to 200 characters
	Remark   string // the asker's private name for the other, up to 64 characters
	PerDay   int    // how many people who have not answered may be asked in 24 hours; 0: no limit
}

// FriendAnswer is the answer to a FriendAsk. User answers what From asked.
type FriendAnswer struct {
	User   UserID
	From   UserID
	Accept bool
	Remark string
}

// CheckGreeting returns an error unless s has at most 200 characters and can be
// sent as a text.
func CheckGreeting(s string) (string, error) {
	if !cleanText(s) {
		return "", Fail(Invalid, "greeting must be UTF-8 without control characters")
	}
	if len([]rune(s)) > 200 {
		return "", Fail(TooLarge, "greeting has over 200 characters")
	}
	return s, nil
}

// CheckRemark returns an error unless s is on one line of at most 64 characters.
func CheckRemark(s string) (string, error) {
	if len([]rune(s)) > 64 {
		return "", Fail(TooLarge, "remark has over 64 characters")
	}
	return checkLine("remark", s, 0, 64)
}

// Friend is one row of a user's contacts.
type Friend struct {
	User     User
	Remark   string
	Conv     ConvID
	Blocked  bool   // I blocked them
	Hidden   bool   // either blocked the other: no presence is shown
	LastSeen Millis // 0 if hidden or unknown
}

// FriendRequest is a request that waits, seen from either side.
type FriendRequest struct {
	User     User // the other side
	Greeting string
	At       Millis
}

// FriendsPart numbers the four lists of a FriendsPage in the order in which pages
// give them.
type FriendsPart uint8

const (
	PartRequests FriendsPart = iota
	PartAsked
	PartBlocked
	PartFriends
)

// FriendsQuery asks for a page of contacts that starts behind (Part, After).
type FriendsQuery struct {
	User     UserID
	Part     FriendsPart
	After    UserID // rows of Part with the other's id > After
	Limit    int    // rows of all four lists together
	MaxBytes int
}

// FriendsPage is the answer. Part and After say where the next page starts.
type FriendsPage struct {
	Requests []FriendRequest // wait for my answer
	Asked    []FriendRequest // mine that were not accepted, for 30 days
	Blocked  []User
	Friends  []Friend
	Part     FriendsPart
	After    UserID
	More     bool
}
