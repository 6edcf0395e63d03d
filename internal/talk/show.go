package talk

import (
	"fmt"
	"strings"
	"time"

	"github.com/liao-im/liao/client"
)

// The words at the beginning of a script's lines.
const (
	kindOK    = "ok"    // ok /COMMAND
	kindError = "error" // error /COMMAND: CODE: TEXT

	// What commands say.
	kindUser    = "user"    // user @HANDLE NAME #ID
	kindContact = "contact" // contact @HANDLE NAME (REMARK) online
	kindBlocked = "blocked" // blocked @HANDLE
	kindAsked   = "asked"   // asked @HANDLE: GREETING
	kindEntry   = "entry"   // entry @HANDLE SEQ: TEXT
	kindDevice  = "device"  // device NUMBER NAME (PLATFORM) TIME
	kindMe      = "me"      // me @HANDLE NAME #ID BIO
	kindStatus  = "status"
	kindOutbox  = "outbox" // outbox URL
	kindHelp    = "help"
	kindNote    = "note"

	// What happens by itself, and is what /wait waits for; request, sent and
	// unread are said by commands too.
	kindMessage      = "message"      // message @HANDLE SEQ: TEXT
	kindNotice       = "notice"       // notice @HANDLE SEQ: TEXT
	kindSent         = "sent"         // sent @HANDLE SEQ: TEXT
	kindFailed       = "failed"       // failed @HANDLE: CODE: TEXT
	kindRequest      = "request"      // request @HANDLE: GREETING
	kindFriend       = "friend"       // friend @HANDLE
	kindLogin        = "login"        // login TEXT
	kindUnread       = "unread"       // unread @HANDLE COUNT
	kindWaiting      = "waiting"      // waiting COUNT: so many requests
	kindRead         = "read"         // read @HANDLE SEQ
	kindTyping       = "typing"       // typing @HANDLE
	kindOnline       = "online"       // online @HANDLE
	kindOffline      = "offline"      // offline @HANDLE
	kindConnected    = "connected"    // connected @HANDLE
	kindReady        = "ready"        // what was missed is known
	kindDisconnected = "disconnected" // it comes back by itself
	kindEnded        = "ended"        // ended REASON: it does not
	kindForgotten    = "forgotten"    // the server was restored from a backup
)

// result shows what a command found out.
func (t *talker) result(kind, text string) {
	line := strings.TrimSpace(kind + " " + text)
	t.journal.say(line)
	if !t.ui.interactive() {
		t.ui.show(line)
		return
	}
	if style, ok := t.words.results[kind]; ok {
		text = fmt.Sprintf(style, text)
	}
	t.ui.show("  " + text)
}

// say is a remark for people; scripts see it as a note.
func (t *talker) say(text string) { t.result(kindNote, text) }

// happened shows what happened by itself.
func (t *talker) happened(kind, text string) {
	line := strings.TrimSpace(kind + " " + text)
	t.journal.happened(line)
	if !t.ui.interactive() {
		t.ui.show(line)
		return
	}
	style, ok := t.words.events[kind]
	if !ok || style == "" {
		return
	}
	if strings.Contains(style, "%s") {
		style = fmt.Sprintf(style, text)
	}
	t.ui.show("* " + style)
}

// happenedAt shows a message that came.
func (t *talker) happenedAt(kind string, m client.Message, text string) {
	if !t.ui.interactive() {
		t.happened(kind, text)
		return
	}
	t.journal.happened(kind + " " + text)
	t.ui.show(t.forPeople(m))
}

// mine shows an own message that another device sent; a script sees nothing of
// it here, because it cannot know which of the two lines comes first.
func (t *talker) mine(m client.Message) {
	if t.ui.interactive() && !t.typedHere(m.Key) {
		t.ui.show(t.forPeople(m))
	}
}

// entryLine is one line of history.
func (t *talker) entryLine(m client.Message) string {
	if t.ui.interactive() {
		return t.forPeople(m)
	}
	who := "server"
	if m.From != 0 {
		who = t.nameOf(m.From)
	}
	return fmt.Sprintf("%s %d: %s", who, m.Seq, oneLine(m.Content.Text))
}

// forPeople is an entry as a person reads it: later lines are indented, so that
// nobody can write a line that looks like somebody else's.
func (t *talker) forPeople(m client.Message) string {
	who := t.words.server
	if m.From != 0 {
		who = t.nameOf(m.From)
	}
	if me := t.client(); me != nil && m.From == me.Me().ID {
		who = t.words.you
		if title := t.titleOf(m.Conv); title != "" {
			who += " → " + title
		}
	}
	text := strings.ReplaceAll(clean(m.Content.Text), "\n", "\n        ")
	return fmt.Sprintf("%s %s: %s", stamp(m.At), who, text)
}

// nameOf is somebody's handle.
func (t *talker) nameOf(id uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u, ok := t.people[id]; ok {
		return "@" + oneLine(u.Handle)
	}
	return fmt.Sprintf("#%d", id)
}

// titleOf is whom a conversation is with.
func (t *talker) titleOf(conv uint64) string {
	if c := t.client(); c != nil {
		if v, ok := c.Conversation(conv); ok && v.Kind == client.Direct {
			if v.Peer.Handle == "" {
				return t.words.deleted
			}
			return "@" + oneLine(v.Peer.Handle)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.contacts.Friends {
		if f.Conv == conv {
			return "@" + oneLine(f.User.Handle)
		}
	}
	return fmt.Sprintf("conversation %d", conv)
}

// prompt names whom lines go to.
func (t *talker) prompt() string {
	t.mu.Lock()
	open, c := t.open, t.c
	t.mu.Unlock()
	switch {
	case c == nil:
		return "liao> "
	case open == 0:
		return "@" + c.Me().Handle + "> "
	}
	return t.titleOf(open) + "> "
}

// stamp is an instant as people need it: the time of today, else the date too.
func stamp(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	at = at.Local()
	if y, m, d := time.Now().Date(); at.Year() == y && at.Month() == m && at.Day() == d {
		return at.Format("15:04")
	}
	return at.Format("2006-01-02 15:04")
}
