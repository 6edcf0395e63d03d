package talk

import (
	"context"
	"fmt"
	"strings"

	"github.com/liao-im/liao/client"
)

// handleOf reads "@handle", with or without the sign.
func handleOf(arg string) (string, error) {
	h := strings.ToLower(strings.TrimPrefix(arg, "@"))
	if h == "" || strings.Contains(h, " ") {
		return "", errUsage
	}
	return h, nil
}

// user finds somebody by handle: among the contacts, else among all.
func (t *talker) user(ctx context.Context, arg string) (client.User, error) {
	h, err := handleOf(arg)
	if err != nil {
		return client.User{}, err
	}
	t.mu.Lock()
	for _, u := range t.people {
		if u.Handle == h {
			t.mu.Unlock()
			return u, nil
		}
	}
	t.mu.Unlock()
	found, err := t.client().FindUsers(ctx, h)
	if err != nil {
		return client.User{}, err
	}
	t.meet(found...)
	for _, u := range found {
		if u.Handle == h {
			return u, nil
		}
	}
	return client.User{}, errNoSuch
}

// meet remembers who people are.
func (t *talker) meet(list ...client.User) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range list {
		if u.ID != 0 && u.Handle != "" {
			t.people[u.ID] = u
		}
	}
}

// refreshContacts asks who the contacts are.
func (t *talker) refreshContacts(ctx context.Context, c *client.Client) (client.Contacts, error) {
	all, err := c.Friends(ctx)
	if err != nil {
		return all, err
	}
	for _, f := range all.Friends {
		t.meet(f.User)
	}
	for _, r := range all.Requests {
		t.meet(r.User)
	}
	for _, r := range all.Asked {
		t.meet(r.User)
	}
	t.meet(all.Blocked...)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.contacts = all
	return all, nil
}

func cmdFind(ctx context.Context, t *talker, args string) error {
	if args == "" {
		return errUsage
	}
	found, err := t.client().FindUsers(ctx, strings.TrimPrefix(args, "@"))
	if err != nil {
		return err
	}
	t.meet(found...)
	for _, u := range found {
		t.result(kindUser, fmt.Sprintf("@%s %s #%d", u.Handle, oneLine(u.Name), u.ID))
	}
	if len(found) == 0 {
		t.say(t.words.nobody)
	}
	return nil
}

func cmdAdd(ctx context.Context, t *talker, args string) error {
	who, greeting, _ := strings.Cut(args, " ")
	u, err := t.user(ctx, who)
	if err != nil {
		return err
	}
	if err := t.client().RequestFriend(ctx, u.ID, strings.TrimSpace(greeting), ""); err != nil {
		return err
	}
	t.say(fmt.Sprintf(t.words.asked, u.Handle))
	return nil
}

func cmdRequests(ctx context.Context, t *talker, _ string) error {
	all, err := t.refreshContacts(ctx, t.client())
	if err != nil {
		return err
	}
	for _, r := range all.Requests {
		t.result(kindRequest, fmt.Sprintf("@%s: %s", r.User.Handle, oneLine(r.Greeting)))
	}
	for _, r := range all.Asked {
		t.result(kindAsked, fmt.Sprintf("@%s: %s", r.User.Handle, oneLine(r.Greeting)))
	}
	if len(all.Requests)+len(all.Asked) == 0 {
		t.say(t.words.noRequests)
	}
	return nil
}

func (t *talker) answer(ctx context.Context, args string, accept bool) (client.User, error) {
	u, err := t.user(ctx, args)
	if err != nil {
		return u, err
	}
	_, err = t.client().AnswerFriend(ctx, u.ID, accept, "")
	return u, err
}

func cmdAccept(ctx context.Context, t *talker, args string) error {
	u, err := t.answer(ctx, args, true)
	if err != nil {
		return err
	}
	t.say(fmt.Sprintf(t.words.accepted, u.Handle))
	return nil
}

func cmdRefuse(ctx context.Context, t *talker, args string) error {
	_, err := t.answer(ctx, args, false)
	return err
}

func cmdFriends(ctx context.Context, t *talker, _ string) error { return t.listFriends(ctx, false) }
func cmdWho(ctx context.Context, t *talker, _ string) error     { return t.listFriends(ctx, true) }

func (t *talker) listFriends(ctx context.Context, onlineOnly bool) error {
	all, err := t.refreshContacts(ctx, t.client())
	if err != nil {
		return err
	}
	n := 0
	for _, f := range all.Friends {
		if onlineOnly && !f.Online {
			continue
		}
		n++
		t.result(kindContact, contactLine(t.words, f))
	}
	for _, u := range all.Blocked {
		if !onlineOnly {
			t.result(kindBlocked, "@"+u.Handle)
		}
	}
	if n == 0 {
		t.say(map[bool]string{true: t.words.nobodyOnline, false: t.words.noFriends}[onlineOnly])
	}
	return nil
}

func contactLine(w words, f client.Friend) string {
	line := fmt.Sprintf("@%s %s", f.User.Handle, oneLine(f.User.Name))
	if f.User.Handle == "" {
		line = w.deleted
	}
	if f.Remark != "" {
		line += " (" + oneLine(f.Remark) + ")"
	}
	switch {
	case f.Online:
		line += " " + w.online
	case !f.LastSeen.IsZero():
		line += " " + w.lastSeen + " " + stamp(f.LastSeen)
	}
	if f.Blocked {
		line += " " + w.blocked
	}
	return line
}

func cmdRemark(ctx context.Context, t *talker, args string) error {
	who, remark, _ := strings.Cut(args, " ")
	u, err := t.user(ctx, who)
	if err != nil {
		return err
	}
	return t.client().SetRemark(ctx, u.ID, strings.TrimSpace(remark))
}

func cmdRemove(ctx context.Context, t *talker, args string) error {
	return t.toUser(ctx, args, t.client().RemoveFriend)
}

func cmdBlock(ctx context.Context, t *talker, args string) error {
	return t.toUser(ctx, args, t.client().Block)
}

func cmdUnblock(ctx context.Context, t *talker, args string) error {
	return t.toUser(ctx, args, t.client().Unblock)
}

func (t *talker) toUser(ctx context.Context, arg string, do func(context.Context, uint64) error) error {
	u, err := t.user(ctx, arg)
	if err != nil {
		return err
	}
	return do(ctx, u.ID)
}
