package im

import (
	"encoding/json"
	"strconv"
)

// Kinds that only the server writes.
const (
	KindFriendRequested = "friend.requested"
	KindFriendAccepted  = "friend.accepted"
	KindFriendStarted   = "friend.started"
	KindContactsChanged = "contacts.changed"
	KindLoginNew        = "login.new"
	KindGroupCreated    = "group.created"
	KindGroupAdded      = "group.added"
	KindGroupRemoved    = "group.removed"
	KindGroupLeft       = "group.left"
	KindGroupRole       = "group.role"
	KindGroupUpdated    = "group.updated"
	KindGroupDissolved  = "group.dissolved"
)

// IsServerKind says whether only the server may write entries of this kind.
func IsServerKind(k string) bool {
	switch k {
	case KindFriendRequested, KindFriendAccepted, KindFriendStarted, KindContactsChanged, KindLoginNew,
		KindGroupCreated, KindGroupAdded, KindGroupRemoved, KindGroupLeft, KindGroupRole,
		KindGroupUpdated, KindGroupDissolved, KindDamaged:
		return true
	}
	return false
}

// userJSON is a User as the contract's JSON mapping writes it.
type userJSON struct {
	ID     string `json:"id,omitempty"`
	Handle string `json:"handle,omitempty"`
	Name   string `json:"name,omitempty"`
	Avatar string `json:"avatar,omitempty"`
	Bio    string `json:"bio,omitempty"`
}

func toJSON(u User) userJSON {
	return userJSON{ID: strconv.FormatUint(uint64(u.ID), 10), Handle: u.Handle, Name: u.Name, Avatar: u.Avatar, Bio: u.Bio}
}

// FriendRequested goes into the inbox of who is asked.
func FriendRequested(asker User, greeting string) Content {
	return event(KindFriendRequested, asker.Name+" (@"+asker.Handle+") would like to be your friend.", struct {
		User     userJSON `json:"user"`
		Greeting string   `json:"greeting"`
	}{toJSON(asker), greeting})
}

// FriendAccepted goes into the inbox of who asked.
func FriendAccepted(by User, conv ConvID) Content {
	return event(KindFriendAccepted, by.Name+" (@"+by.Handle+") accepted your request.", struct {
		User userJSON `json:"user"`
		Conv string   `json:"conv"`
	}{toJSON(by), strconv.FormatUint(uint64(conv), 10)})
}

// FriendStarted is the first entry of a direct conversation, after the greeting.
func FriendStarted() Content { return event(KindFriendStarted, "You are friends now.", struct{}{}) }

// ContactsChanged tells the other devices of a user to ask for the contacts again.
func ContactsChanged() Content {
	return event(KindContactsChanged, "Your contacts changed.", struct{}{})
}

// LoginNew goes into the inbox of who logged in from a device that is new.
func LoginNew(d Device, at Millis) Content {
	return event(KindLoginNew, "New login: "+d.Name+" ("+d.Platform+").", struct {
		Device   string `json:"device"`
		Platform string `json:"platform"`
		AtMs     string `json:"atMs"`
	}{d.Name, d.Platform, strconv.FormatInt(int64(at), 10)})
}

// Greeting is the first entry of a direct conversation, from who asked.
func Greeting(text string) Content { return Content{Kind: KindText, Text: text} }

func event(kind, text string, data any) Content {
	b, err := json.Marshal(data)
	if err != nil {
		panic("im: an event's data cannot be marshalled: " + err.Error()) //nolint:forbidigo // strings alone always can
	}
	return Content{Kind: kind, Text: text, Data: b}
}

func itoa(n int) string { return strconv.Itoa(n) }
