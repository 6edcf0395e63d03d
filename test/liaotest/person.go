package liaotest

import (
	"net/http"
)

// Password is what everyone has unless a test says otherwise.
const Password = "correct horse battery"

// Person is somebody who signed up and logged in on one device.
type Person struct {
	ID      string
	Handle  string
	Email   string
	Access  string
	Refresh string
	Device  string
	Login   Object // the last answer of the gate to a login

	s *Server
}

// SignUp makes an account for handle and logs in.
func (s *Server) SignUp(handle string) *Person {
	s.tb.Helper()
	p := &Person{Handle: handle, Email: handle + "@example.org", s: s}
	request, code := s.RequestCode(p.Email, "register")
	a := s.Call(http.MethodPost, "/v1/accounts", "", Object{
		"email": p.Email, "request": request, "code": code, "handle": handle, "name": "Name of " + handle, "password": Password,
	}).Want(s.tb, http.StatusCreated)
	p.ID = a.String("user.id")
	return p.LogIn("first")
}

// LogIn logs in on a further device and returns the person there.
func (p *Person) LogIn(device string) *Person {
	p.s.tb.Helper()
	q := *p
	a := p.s.Call(http.MethodPost, "/v1/logins", "", Object{
		"account": p.Handle, "password": Password, "device": Object{"name": device, "platform": "test"},
	}).Want(p.s.tb, http.StatusCreated)
	q.take(a)
	return &q
}

func (p *Person) take(a Answer) {
	p.Login = a.Body
	p.Access, p.Refresh, p.Device = a.String("accessToken"), a.String("refreshToken"), a.String("deviceId")
}

// Call is Server.Call with this person's access token.
func (p *Person) Call(method, path string, body any) Answer {
	p.s.tb.Helper()
	return p.s.Call(method, path, p.Access, body)
}

// Befriend makes two people friends over their connections and returns the id of
// their conversation.
func Befriend(a, b *Line) string {
	a.tb.Helper()
	a.Ask("REQUEST_FRIEND", Object{"user": b.Person.ID}).Want("OK")
	answer := b.Ask("ANSWER_FRIEND", Object{"user": a.Person.ID, "accept": true}).Want("ANSWERED")
	return Text(answer.Body, "conv")
}
