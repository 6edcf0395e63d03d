package im

import "time"

// Draft is an entry that somebody wants appended. It is made by NewDraft, which lets
// nothing invalid through, or by NewRepeat, whose drafts are never appended.
type Draft struct {
	conv    ConvID
	from    UserID
	key     string
	content Content
	made    time.Time
	refused error // why this content becomes no entry; nil: it may
}

// NewDraft checks what a client sent and returns it as a draft. It arrived at the
// instant made: a draft that is too old is refused before its transaction.
// It does not ask whether from may send to conv; only the transaction can.
func NewDraft(from UserID, conv ConvID, key string, c Content, made time.Time) (Draft, error) {
	d, err := NewRepeat(from, conv, key, nil, made)
	if err != nil {
		return Draft{}, err
	}
	if err := CheckContent(c); err != nil {
		return Draft{}, err
	}
	d.content = c
	return d, nil
}

// NewRepeat is a draft of content that may not be sent, for the reason refused. It
// finds out whether its key was stored before, since a key is one entry for ever,
// whatever a later attempt says; if it was not, JudgeSend gives the reason.
func NewRepeat(from UserID, conv ConvID, key string, refused error, made time.Time) (Draft, error) {
	if conv == 0 || conv > MaxID {
		return Draft{}, Fail(Invalid, "conv is missing or no id")
	}
	if err := CheckKey(key); err != nil {
		return Draft{}, err
	}
	return Draft{conv: conv, from: from, key: key, made: made, refused: refused}, nil
}

// CheckKey returns an error unless s is 8 to 64 visible ASCII characters.
func CheckKey(s string) error {
	ok := len(s) >= 8 && len(s) <= 64
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] > ' ' && s[i] < 0x7f
	}
	if !ok {
		return Fail(Invalid, "key must be 8 to 64 visible ASCII characters, such as a UUIDv7")
	}
	return nil
}

// Conv is the conversation that the draft is for.
func (d Draft) Conv() ConvID { return d.conv }

// From is who sends it.
func (d Draft) From() UserID { return d.from }

// Key is its sender's name for it: one key is one entry of its sender in its
// conversation, for ever.
func (d Draft) Key() string { return d.key }

// Content is what it says.
func (d Draft) Content() Content { return d.content }

// Made is when it arrived, by this process's clock.
func (d Draft) Made() time.Time { return d.made }
