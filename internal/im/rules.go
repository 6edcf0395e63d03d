package im

import "time"

// AskFacts is what a transaction, with both users locked, knows about one asking
// the other to be friends.
type AskFacts struct {
	Self          bool // asks oneself
	Exists        bool // the target exists, and is neither deleted nor disabled
	Friends       bool
	AskerBlocked  bool // the asker has blocked the target
	TargetBlocked bool // the target has blocked the asker
	TargetAsked   bool // the target's request to the asker waits
	Waiting       bool // the asker's own request waits (shown to the target)
	RefusedAgo    time.Duration
	Refused       bool // the last request was refused, RefusedAgo ago
	Unanswered    int  // other people asked in the last 24 hours who have not accepted
	PerDay        int
}

// AskVerdict says what a request comes to.
type AskVerdict uint8

const (
	AskDeliver AskVerdict = iota // store it and tell the target
	AskRefresh                   // waits already: change the greeting and remark, tell nobody
	AskMeet                      // each has asked the other: friends at once
	AskSwallow                   // keep it in the asker's own list, show it to nobody else
)

// refusalHolds is how long a refused asker asks to nobody.
const refusalHolds = 7 * 24 * time.Hour

// RefusalHolds says that the last request was refused so lately that the next one
// reaches nobody.
func (f AskFacts) RefusalHolds() bool { return f.Refused && f.RefusedAgo < refusalHolds }

// JudgeAsk decides a friend request.
func JudgeAsk(f AskFacts) (AskVerdict, error) {
	switch {
	case f.Self:
		return 0, Fail(Invalid, "you cannot befriend yourself")
	case !f.Exists:
		return 0, Fail(NotFound, "there is no such user")
	case f.Friends:
		return 0, Fail(AlreadyExists, "you are friends already")
	case f.AskerBlocked:
		return 0, Fail(Forbidden, "you have blocked this user; unblock first")
	case f.TargetBlocked && f.Waiting:
		return AskSwallow, nil
	case f.TargetAsked && !f.TargetBlocked:
		return AskMeet, nil
	case f.Waiting:
		return AskRefresh, nil
	case f.RefusalHolds():
		return AskSwallow, nil
	case f.PerDay > 0 && f.Unanswered >= f.PerDay:
		return 0, FailAfter(RateLimited, "you have asked many people who have not answered yet; try again later", time.Hour)
	case f.TargetBlocked:
		return AskSwallow, nil
	}
	return AskDeliver, nil
}

// AskState is what became of a request to be friends.
type AskState string

const (
	AskNone      AskState = ""          // there is none
	AskWaiting   AskState = "waiting"   // the target sees it and has not answered
	AskSwallowed AskState = "swallowed" // only the asker sees it
	AskRefused   AskState = "refused"
	AskAccepted  AskState = "accepted"
)

// JudgeAnswer decides whether a request in state s can be answered so. With repeated
// this answer was given before: there is nothing left to do.
func JudgeAnswer(s AskState, accept bool) (repeated bool, err error) {
	switch s {
	case AskWaiting:
		return false, nil
	case AskRefused, AskAccepted:
		if accept != (s == AskAccepted) {
			return false, Fail(Conflict, "this request was answered otherwise before")
		}
		return true, nil
	case AskNone, AskSwallowed:
	}
	return false, Fail(NotFound, "this user has not asked you")
}

// SendFacts is what the transaction of an append knows about the sender.
type SendFacts struct {
	EverMember bool // is or was a member
	Member     bool
	MaySend    bool // as friends, blocks, mutes and roles have set it
	Kind       Kind
	Head       Seq
}

// JudgeSender decides whether somebody may send to a conversation at all.
func JudgeSender(f SendFacts) error {
	switch {
	case !f.EverMember:
		return Fail(NotFound, "there is no such conversation")
	case !f.Member:
		return Fail(Forbidden, "you are no longer a member of this conversation")
	case f.Kind == Inbox:
		return Fail(Forbidden, "only the server writes into an inbox")
	case !f.MaySend:
		return Fail(Forbidden, "this conversation takes no messages from you now")
	}
	return nil
}

// JudgeSend decides whether a draft may become the entry after f.Head.
func JudgeSend(f SendFacts, d Draft) error {
	if d.refused != nil {
		return d.refused
	}
	if err := JudgeSender(f); err != nil {
		return err
	}
	if d.Content().ReplyTo > f.Head {
		return Fail(Invalid, "content.reply_to names an entry that does not exist")
	}
	return nil
}

// JudgeRead decides whether a member may move the watermark to seq.
func JudgeRead(f SendFacts, seq Seq) error {
	switch {
	case !f.EverMember:
		return Fail(NotFound, "there is no such conversation")
	case seq > f.Head:
		return Fail(Invalid, "seq is above the conversation's head")
	}
	return nil
}

// DirectMaySend says whether the first of two people may send to the second in
// their direct conversation.
func DirectMaySend(friends, blockedByPeer bool) bool { return friends && !blockedByPeer }
