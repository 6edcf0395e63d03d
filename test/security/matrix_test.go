package security_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/liao-im/liao/test/liaotest"
)

// An id that no database has given yet.
const nobody = "9007199254740000"

// httpRow says what one call of the gate answers: to somebody logged in, with wrong
// secrets wherever it takes one. Without a login every call that needs one is 401.
type httpRow struct {
	body   any
	login  bool
	status int
}

// httpRows has a row for every operation that the server describes.
var httpRows = map[string]httpRow{
	"POST /v1/codes":            {body: object{"email": "matrix@example.org", "purpose": "reset"}, status: 202},
	"POST /v1/accounts":         {body: object{"email": "matrix@example.org", "request": "x", "code": "00000000", "handle": "matrix", "name": "M", "password": liaotest.Password}, status: 403},
	"POST /v1/logins":           {body: object{"account": "matrix", "password": "not this one", "device": object{"name": "d", "platform": "test"}}, status: 401},
	"POST /v1/logins/refresh":   {body: object{"refreshToken": "nonsense"}, status: 401},
	"POST /v1/password-resets":  {body: object{"email": "matrix@example.org", "request": "x", "code": "00000000", "password": liaotest.Password}, status: 403},
	"GET /v1/logins":            {login: true, status: 200},
	"DELETE /v1/logins/{id}":    {login: true, status: 404},
	"POST /v1/me/password":      {login: true, body: object{"old": "not this one", "new": "another good phrase"}, status: 403},
	"GET /v1/nodes":             {login: true, status: 200},
	"GET /v1/me":                {login: true, status: 200},
	"PATCH /v1/me":              {login: true, body: object{"bio": "x"}, status: 200},
	"PUT /v1/me/avatar":         {login: true, body: []byte("no picture"), status: 415},
	"DELETE /v1/me/avatar":      {login: true, status: 200},
	"GET /v1/avatars/{sha256}":  {status: 404},
	"GET /v1/openapi.json":      {status: 200},
	"DELETE /v1/me":             {login: true, body: object{"password": "not this one"}, status: 403},
	"DELETE /v1/logins/current": {login: true, status: 204},
}

// TestMatrixHTTP asks every operation that the server itself describes, as every
// kind of caller. An operation without a row fails.
func TestMatrixHTTP(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, foreign, banned := s.SignUp("ann"), s.SignUp("foreign"), s.SignUp("banned")
	logins, _ := foreign.Call(http.MethodGet, "/v1/logins", nil).Want(t, 200).Body["logins"].([]any)
	first, _ := logins[0].(object)
	s.Liao("user", "disable", "banned")

	var described []string
	paths, _ := s.Call(http.MethodGet, "/v1/openapi.json", "", nil).Want(t, 200).Body["paths"].(object)
	for path, item := range paths {
		methods, _ := item.(object)
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	if len(described) < len(httpRows)-1 {
		t.Fatalf("the server describes %d operations, the matrix has %d", len(described), len(httpRows))
	}
	slices.Sort(described)
	// What ends the caller's login comes last.
	slices.SortStableFunc(described, func(a, b string) int { return strings.Count(a, "current") - strings.Count(b, "current") })
	for _, op := range described {
		row, ok := httpRows[op]
		if !ok {
			t.Errorf("%s has no row in the matrix", op)
			continue
		}
		method, path, _ := strings.Cut(op, " ")
		path = strings.ReplaceAll(path, "{sha256}", strings.Repeat("ab", 32))
		targets := []string{path}
		if strings.Contains(path, "{id}") {
			targets = []string{strings.ReplaceAll(path, "{id}", liaotest.Text(first, "id")), strings.ReplaceAll(path, "{id}", nobody)}
		}
		var answers []string
		for _, target := range targets {
			for _, caller := range []struct {
				kind, token string
				want        int
			}{
				{"anonymous", "", 401}, {"banned", banned.Access, 401}, {"somebody with nonsense", "nonsense", 401}, {"a stranger", ann.Access, row.status},
			} {
				if !row.login && caller.want == 401 {
					caller.want = row.status
				}
				header := http.Header{}
				if caller.token != "" {
					header.Set("Authorization", "Bearer "+caller.token)
				}
				if _, picture := row.body.([]byte); picture {
					header.Set("Content-Type", "image/png")
				}
				if op == "POST /v1/codes" { // one address is mailed once a minute
					row.body = object{"email": fmt.Sprintf("m%d@example.org", len(answers)), "purpose": "reset"}
				}
				a, err := liaotest.Do(t.Context(), method, s.Gate+target, header, row.body)
				if err != nil {
					t.Fatal(err)
				}
				if a.Status != caller.want {
					t.Errorf("%s by %s: %d %s, want %d", op, caller.kind, a.Status, a.Raw, caller.want)
				}
				if op == "POST /v1/codes" || caller.kind == "a stranger" {
					answers = append(answers, string(a.Raw))
				}
			}
		}
		if len(targets) == 2 && answers[0] != answers[1] {
			t.Errorf("%s: a foreign one answers %s, one that does not exist %s; want the same", op, answers[0], answers[1])
		}
	}
	foreign.Call(http.MethodGet, "/v1/me", nil).Want(t, 200)
}

// frameRow says what one request is answered with, by caller. The function
// body is given the conversation or user that it is about.
type frameRow struct {
	body    func(conv, user string) object
	friend  string // the code, or "" for success: by a friend, about their conversation or about the friend
	former  string // by somebody whose friendship was ended
	blocked string // by a friend whom the other has blocked
	foreign string // by a stranger, about others' conversation or about a stranger
	none    string // about what does not exist
}

func onConv(more object) func(conv, user string) object {
	return func(conv, _ string) object {
		o := object{"conv": conv}
		maps.Copy(o, more)
		return o
	}
}

func onUser(more object) func(conv, user string) object {
	return func(_, user string) object {
		o := object{"user": user}
		maps.Copy(o, more)
		return o
	}
}

func anything(string, string) object { return object{} }

var toCome = frameRow{body: anything, friend: "UNSUPPORTED", former: "UNSUPPORTED", blocked: "UNSUPPORTED", foreign: "UNSUPPORTED", none: "UNSUPPORTED"}

// frameRows has a row for every request of the contract. HELLO and PONG have tests
// of their own; TYPING is never answered and stands with the silent probes.
var frameRows = map[string]frameRow{
	"PING":       {body: anything},
	"SYNC":       {body: anything},
	"FRIENDS":    {body: anything},
	"FIND_USERS": {body: func(_, user string) object { return object{"query": "#" + user} }},
	"SEND": {
		body:   onConv(object{"key": "key-matrix-1", "content": object{"kind": "text", "text": "x"}}),
		former: "FORBIDDEN", blocked: "FORBIDDEN", foreign: "NOT_FOUND", none: "NOT_FOUND",
	},
	"HISTORY":        {body: onConv(nil), foreign: "NOT_FOUND", none: "NOT_FOUND"},
	"READ":           {body: onConv(object{"seq": 1}), foreign: "NOT_FOUND", none: "NOT_FOUND"},
	"REQUEST_FRIEND": {body: onUser(nil), friend: "ALREADY_EXISTS", blocked: "ALREADY_EXISTS", none: "NOT_FOUND"},
	// A former friend accepted once: the repeat is given the same success.
	"ANSWER_FRIEND": {body: onUser(object{"accept": true}), foreign: "NOT_FOUND", none: "NOT_FOUND"},
	"REMARK":        {body: onUser(object{"remark": "r"}), former: "NOT_FOUND", foreign: "NOT_FOUND", none: "NOT_FOUND"},
	"BLOCK":         {body: onUser(nil), none: "NOT_FOUND"},
	"UNBLOCK":       {body: onUser(nil), none: "NOT_FOUND"},
	"REMOVE_FRIEND": {body: onUser(nil), none: "NOT_FOUND"},

	"CREATE_GROUP": toCome, "GET_GROUP": toCome, "UPDATE_GROUP": toCome, "MEMBERS": toCome, "ADD_MEMBERS": toCome,
	"REMOVE_MEMBERS": toCome, "SET_ROLE": toCome, "LEAVE_GROUP": toCome, "DISSOLVE_GROUP": toCome,
}

// requests reads from the contract which frames a client may send.
func requests(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../internal/wire/proto/liao/client/v1/client.proto")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z_]+) = \d+; +// (?:C>S|either way)`).FindAllStringSubmatch(string(raw), -1) {
		out = append(out, m[1])
	}
	if len(out) < 20 {
		t.Fatalf("the contract names the requests %v; there must be more", out)
	}
	return out
}

// TestMatrixFrames asks every request of the contract as every kind of caller.
func TestMatrixFrames(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_FRIEND_REQUESTS_PER_DAY=0"}})
	for i, typ := range requests(t) {
		row, ok := frameRows[typ]
		if !ok {
			if typ != "HELLO" && typ != "TYPING" {
				t.Errorf("%s has no row in the matrix", typ)
			}
			continue
		}
		t.Run(typ, func(t *testing.T) {
			// Before HELLO nothing is answered, whoever asks.
			stranger := s.Dial()
			stranger.Put(typ, row.body(nobody, nobody))
			stranger.Gone("PROTOCOL")

			suffix := fmt.Sprintf("_%d", i)
			ann, ben, cleo, dan, eve := s.SignUp("ann"+suffix), s.SignUp("ben"+suffix), s.SignUp("cleo"+suffix), s.SignUp("dan"+suffix), s.SignUp("eve"+suffix)
			a, b, c, d, e := ann.Connect(), ben.Connect(), cleo.Connect(), dan.Connect(), eve.Connect()
			withBen, withCleo, withDan := liaotest.Befriend(a, b), liaotest.Befriend(a, c), liaotest.Befriend(a, d)
			a.Ask("REMOVE_FRIEND", object{"user": cleo.ID}).Want("OK")
			a.Ask("BLOCK", object{"user": dan.ID}).Want("OK")
			for _, tc := range []struct {
				kind       string
				line       *liaotest.Line
				conv, user string
				want       string
			}{
				{"what does not exist", e, nobody, nobody, row.none},
				{"a stranger", e, withBen, ben.ID, row.foreign},
				{"a friend", b, withBen, ann.ID, row.friend},
				{"a former friend", c, withCleo, ann.ID, row.former},
				{"a blocked friend", d, withDan, ann.ID, row.blocked},
			} {
				f := tc.line.Ask(typ, row.body(tc.conv, tc.user))
				if got := f.Text("code"); got != tc.want || (f.Type == "ERROR") != (tc.want != "") {
					t.Errorf("%s by %s: %s %v, want %q", typ, tc.kind, f.Type, f.Body, tc.want)
				}
			}
		})
	}
	for typ := range frameRows {
		if !slices.Contains(requests(t), typ) {
			t.Errorf("the matrix has a row for %s, which is no request of the contract", typ)
		}
	}
}
