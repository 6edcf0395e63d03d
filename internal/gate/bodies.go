package gate

import (
	"strconv"

	"github.com/liao-im/liao/internal/im"
)

// The bodies that several calls share, in the JSON mapping of the contract: every id
// and every ...Ms is a string. Their types bear the names of the description's schemas.

type user struct {
	ID     string `json:"id" doc:"Never given twice" pattern:"^[0-9]+$" example:"42"`
	Handle string `json:"handle" doc:"Unique; 3 to 32 of a-z, 0-9 and _, the first a letter" example:"ada"`
	Name   string `json:"name" doc:"As shown, 1 to 64 characters" example:"Ada"`
	Avatar string `json:"avatar" doc:"SHA-256 of the picture, for GET /v1/avatars/{sha256}; empty: none"`
	Bio    string `json:"bio" doc:"Up to 500 characters"`
}

func userOf(u im.User) user {
	return user{ID: id(uint64(u.ID)), Handle: u.Handle, Name: u.Name, Avatar: u.Avatar, Bio: u.Bio}
}

func id(n uint64) string { return strconv.FormatUint(n, 10) }

// userAnswer is the answer of every call about one user.
type userAnswer struct {
	Body struct {
		User user `json:"user"`
	} `nameHint:"UserAnswer"`
}

func answerUser(u im.User) *userAnswer {
	var a userAnswer
	a.Body.User = userOf(u)
	return &a
}

type device struct {
	ID       string `json:"id" doc:"Given at the first login"`
	Name     string `json:"name" example:"Ada's laptop"`
	Platform string `json:"platform" example:"web"`
}

type nodeAddrs struct {
	TCP string `json:"tcp,omitempty" doc:"host:port; absent if not offered" example:"chat.example.org:8090"`
	TLS string `json:"tls,omitempty" doc:"host:port; absent if not offered"`
	WS  string `json:"ws,omitempty" doc:"URL; absent if not offered" example:"wss://chat.example.org/v1/ws"`
}

func addrsOf(n im.NodeAddrs) nodeAddrs { return nodeAddrs{TCP: n.TCP, TLS: n.TLS, WS: n.WS} }

// nothing is the answer of calls that only say 204, and the input of those that
// take nothing.
type nothing struct{}
