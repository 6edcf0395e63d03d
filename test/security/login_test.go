package security_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liao-im/liao/test/liaotest"
)

var eightDigits = regexp.MustCompile(`\b\d{8}\b`)

// from returns a client whose connections come from another loopback address.
func from(ip string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return &http.Client{Timeout: liaotest.Patience, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
}

func post(ctx context.Context, c *http.Client, url, body string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// TestUsualCodesFail: no magic code opens anything.
func TestUsualCodesFail(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{
		"LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0", "LIAO_LIMITS_CODES_PER_HOUR_EMAIL=0", "LIAO_LIMITS_CODES_PER_DAY_EMAIL=0", "LIAO_LIMITS_OPEN_CODES_PER_EMAIL=0",
	}})
	usual := []string{"666666", "123456", "000000", "", "null", "true", "0", "00000000", "12345678", "88888888", "11111111", "87654321"}
	for i := range 40 {
		usual = append(usual, fmt.Sprintf("%08d", i*11111111%100000000))
	}
	for i, guess := range usual {
		email := fmt.Sprintf("p%d@example.org", i/5)
		request, right := s.RequestCode(email, "register")
		if guess == right {
			continue
		}
		a := s.Call(http.MethodPost, "/v1/accounts", "", object{
			"email": email, "request": request, "code": guess, "handle": "usual" + strconv.Itoa(i), "name": "n", "password": liaotest.Password,
		})
		if a.Status != 403 && a.Status != 400 {
			t.Errorf("code %q: %d %s", guess, a.Status, a.Raw)
		}
	}
}

// TestParallelGuesses: of a thousand guesses at once, from many addresses, exactly
// five are looked at, and a code is used once.
func TestParallelGuesses(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0"}})
	request, right := s.RequestCode("ann@example.org", "register")
	body := func(code, handle string) string {
		return fmt.Sprintf(`{"email":"ann@example.org","request":%q,"code":%q,"handle":%q,"name":"n","password":%q}`, request, code, handle, liaotest.Password)
	}
	burst := func(n int, makeBody func(i int) string) map[int]int {
		var mu sync.Mutex
		count := map[int]int{}
		var wg sync.WaitGroup
		gate := make(chan struct{}, 64) // as many sockets as a test may hold
		for i := range n {
			wg.Add(1)
			gate <- struct{}{}
			go func() {
				defer wg.Done()
				defer func() { <-gate }()
				status, err := post(t.Context(), from(fmt.Sprintf("127.0.%d.%d", 1+i%2, 1+i%125)), s.Gate+"/v1/accounts", makeBody(i))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				count[status]++
				mu.Unlock()
			}()
		}
		wg.Wait()
		return count
	}
	wrong := func(i int) string {
		guess := fmt.Sprintf("%08d", i)
		if guess == right {
			guess = "99999999"
		}
		return body(guess, "guess"+strconv.Itoa(i))
	}
	if got := burst(1000, wrong); got[403] != 1000 {
		t.Errorf("a thousand wrong guesses: %v, want 1000 times 403", got)
	}
	// The request is dead now: even the right code is refused.
	if got := burst(1, func(int) string { return body(right, "ann") }); got[403] != 1 {
		t.Errorf("the right code after five tries: %v, want 403", got)
	}
	request, right = s.RequestCode("ann@example.org", "register")
	if got := burst(100, func(i int) string { return body(right, "race"+strconv.Itoa(i)) }); got[201] != 1 || got[403] != 99 {
		t.Errorf("a hundred uses of one code at once: %v, want one 201 and 99 times 403", got)
	}
}

// TestFourthOpenRequest: an address cannot be given many codes to guess at.
func TestFourthOpenRequest(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0"}})
	for range 3 {
		s.Call(http.MethodPost, "/v1/codes", "", object{"email": "ann@example.org", "purpose": "register"}).Want(t, 202)
	}
	a := s.Call(http.MethodPost, "/v1/codes", "", object{"email": "ann@example.org", "purpose": "register"}).Refused(t, 429, "rate_limited")
	if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 {
		t.Errorf("Retry-After %q, want seconds", a.Header.Get("Retry-After"))
	}
}

// TestMassRegistration: from one address no more accounts than the quota.
func TestMassRegistration(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{
		"LIAO_LIMITS_EXEMPT_LOOPBACK=false", "LIAO_LIMITS_REGISTRATIONS_PER_HOUR_IP=5", "LIAO_LIMITS_CODES_PER_HOUR_IP=20",
	}})
	made, codes := 0, 0
	for i := range 40 {
		email := fmt.Sprintf("p%d@example.org", i)
		a := s.Call(http.MethodPost, "/v1/codes", "", object{"email": email, "purpose": "register"})
		if a.Status == 429 {
			continue
		}
		codes++
		var code string
		liaotest.Until(t, "the mail", func() bool {
			for _, m := range s.Mails(email) {
				code = m.Text
			}
			return code != ""
		})
		code = eightDigits.FindString(code)
		if s.Call(http.MethodPost, "/v1/accounts", "", object{
			"email": email, "request": a.String("request"), "code": code, "handle": fmt.Sprintf("mass%d", i), "name": "n", "password": liaotest.Password,
		}).Status == 201 {
			made++
		}
	}
	if made != 5 || codes != 20 {
		t.Errorf("%d accounts and %d codes from one address, want 5 and 20", made, codes)
	}
}

// TestTokenMutations: nothing but the token itself opens anything.
func TestTokenMutations(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	var bad []string
	for i := range len(ann.Access) {
		for _, c := range []byte{'A', 'b', '_', '='} {
			if ann.Access[i] != c {
				bad = append(bad, ann.Access[:i]+string(c)+ann.Access[i+1:])
			}
		}
	}
	bad = append(bad, ann.Access[:20], ann.Access+"A", ann.Access+" "+ann.Access, ann.Refresh, strings.ToUpper(ann.Access), "undefined", "null", ann.ID)
	accepted := 0
	for _, token := range bad {
		if s.Call(http.MethodGet, "/v1/me", token, nil).Status != 401 {
			accepted++
			t.Errorf("accepted %q", token)
		}
	}
	for _, token := range bad {
		l := s.Dial()
		if f := l.Ask("HELLO", object{"token": token}); f.Type != "ERROR" || f.Text("code") != "UNAUTHENTICATED" {
			accepted++
			t.Errorf("HELLO with %q: %v", token, f.Body)
		}
		l.Close()
	}
	if accepted > 0 {
		t.Errorf("%d of %d wrong tokens accepted", accepted, len(bad))
	}
	for name, header := range map[string]http.Header{
		"none": {}, "basic": {"Authorization": {"Basic " + ann.Access}}, "no scheme": {"Authorization": {ann.Access}},
		"empty": {"Authorization": {"Bearer "}}, "a cookie": {"Cookie": {"token=" + ann.Access}},
		"ten thousand": {"Authorization": {"Bearer " + strings.Repeat("a", 10_000)}},
	} {
		a, err := liaotest.Do(t.Context(), http.MethodGet, s.Gate+"/v1/me", header, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != 401 {
			t.Errorf("token by %s: %d, want 401", name, a.Status)
		}
	}
	if a := s.Call(http.MethodGet, "/v1/me?access_token="+ann.Access+"&token="+ann.Access, "", nil); a.Status != 401 {
		t.Errorf("a token in the query: %d, want 401", a.Status)
	}
}

// TestTokenSurvivesNothing: after a logout, a kick by the operator, a ban and a
// change of password the token opens nothing, however often it is tried.
func TestTokenSurvivesNothing(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0"}})
	for name, end := range map[string]func(p *liaotest.Person){
		"logout":  func(p *liaotest.Person) { p.Call(http.MethodDelete, "/v1/logins/current", nil).Want(t, 204) },
		"kick":    func(p *liaotest.Person) { s.Liao("user", "logout", p.Handle) },
		"ban":     func(p *liaotest.Person) { s.Liao("user", "disable", p.Handle) },
		"removal": func(p *liaotest.Person) { s.Liao("user", "delete", p.Handle, "--yes") },
		"reset": func(p *liaotest.Person) {
			request, code := s.RequestCode(p.Email, "reset")
			s.Call(http.MethodPost, "/v1/password-resets", "", object{"email": p.Email, "request": request, "code": code, "password": "another good phrase"}).Want(t, 204)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := s.SignUp(name + "_user")
			l := p.Connect()
			begin := time.Now()
			end(p)
			acted := time.Now()
			l.Gone("UNAUTHORIZED")
			if took := time.Since(acted); took > 1500*time.Millisecond {
				t.Errorf("the connection closed %v after the act (which took %v), want 1 s, and half of one for a busy machine", took, acted.Sub(begin))
			}
			var accepted atomic.Int32
			for range 200 {
				if p.Call(http.MethodGet, "/v1/me", nil).Status != 401 {
					accepted.Add(1)
				}
			}
			for range 20 {
				d := s.Dial()
				if d.Ask("HELLO", object{"token": p.Access}).Type != "ERROR" {
					accepted.Add(1)
				}
				d.Close()
			}
			if n := accepted.Load(); n > 0 {
				t.Errorf("the token was accepted %d times", n)
			}
			if a := s.Call(http.MethodPost, "/v1/logins/refresh", "", object{"refreshToken": p.Refresh}); a.Status != 401 {
				t.Errorf("the refresh token: %d, want 401", a.Status)
			}
		})
	}
}

// TestGuessesAtAPasswordAreSlowed: five are free, then each waits longer.
func TestGuessesAtAPasswordAreSlowed(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	s.SignUp("ann")
	guess := func(account string) int {
		return s.Call(http.MethodPost, "/v1/logins", "", object{"account": account, "password": "a wrong guess", "device": object{"name": "d", "platform": "test"}}).Status
	}
	for _, account := range []string{"ann", "nobody"} {
		count := map[int]int{}
		for range 12 {
			count[guess(account)]++
		}
		if count[401] < 5 || count[401] > 7 || count[429] == 0 {
			t.Errorf("12 guesses at %s: %v, want about five 401 and then 429", account, count)
		}
	}
}
