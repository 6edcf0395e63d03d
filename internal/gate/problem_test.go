package gate_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/gate"
	"github.com/liao-im/liao/internal/im"
)

// failingProfiles fails as it is told.
type failingProfiles struct {
	gate.Profiles
	err error
}

func (f failingProfiles) Avatar(context.Context, string) (im.Avatar, error) {
	return im.Avatar{}, f.err
}

// TestEveryCodeHasItsStatus goes through the whole list of codes: one that is added
// without a row here fails.
func TestEveryCodeHasItsStatus(t *testing.T) {
	t.Parallel()
	want := map[im.Code]int{
		im.Internal: 500, im.Invalid: 400, im.Unauthenticated: 401, im.Forbidden: 403, im.NotFound: 404, im.AlreadyExists: 409,
		im.TooLarge: 413, im.RateLimited: 429, im.Overloaded: 503, im.Unavailable: 503, im.Unsupported: 415, im.Conflict: 409,
	}
	for n := range im.CodeCount {
		code := im.Code(n)
		status, ok := want[code]
		if !ok {
			t.Errorf("code %s has no row", code)
			continue
		}
		d := openDoor(t, func(o *gate.Options) {
			o.Profiles = failingProfiles{o.Profiles, im.FailAfter(code, "a text for people", 1500*time.Millisecond)}
		})
		a := d.do("GET", "/v1/avatars/"+strings.Repeat("a", 64), "", nil)
		a.want(t, status, code.String())
		if a.fields["detail"] != "a text for people" {
			t.Errorf("%s: detail %v", code, a.fields["detail"])
		}
		if got := a.header.Get("Retry-After"); got != "" && got != "2" {
			t.Errorf("%s: Retry-After %q, want whole seconds, rounded up", code, got)
		}
	}
}

// panickingProfiles has a fault of its own.
type panickingProfiles struct{ gate.Profiles }

func (panickingProfiles) Avatar(_ context.Context, sum string) (im.Avatar, error) {
	return im.Avatar{Type: sum[len(sum):][:1]}, nil
}

func TestPanicCostsOneRequest(t *testing.T) {
	t.Parallel()
	d := openDoor(t, func(o *gate.Options) { o.Profiles = panickingProfiles{o.Profiles} })
	d.do("GET", "/v1/avatars/"+strings.Repeat("a", 64), "", nil).want(t, 500, "internal")
	d.do("GET", "/v1/openapi.json", "", nil).want(t, 200, "")
	if !strings.Contains(d.log.String(), "slice bounds out of range") {
		t.Errorf("the panic is not in the log: %s", d.log)
	}
}

// TestDescription checks that the OpenAPI document says what it should of every call.
func TestDescription(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	a := d.do("GET", "/v1/openapi.json", "", nil)
	a.want(t, http.StatusOK, "")
	type operation struct {
		OperationID string
		Summary     string
		Security    []map[string][]string
		RequestBody *struct{ Content map[string]any }
		Responses   map[string]struct{ Content map[string]any }
	}
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]operation
		Components struct {
			Schemas         map[string]any
			SecuritySchemes map[string]any
		}
	}
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Components.SecuritySchemes["login"] == nil {
		t.Errorf("version %q, security schemes %v", doc.OpenAPI, doc.Components.SecuritySchemes)
	}
	for _, op := range d.gate.Operations() {
		o, ok := doc.Paths[op.Path][strings.ToLower(op.Method)]
		if !ok || o.Summary == "" || o.OperationID != op.ID || (len(o.Security) > 0) != op.NeedsLogin {
			t.Errorf("%s %s: got %+v", op.Method, op.Path, o)
		}
		statuses := []string{"413", "415", "429", "500", "503"}
		if op.NeedsLogin {
			statuses = append(statuses, "401")
		}
		if o.RequestBody != nil {
			statuses = append(statuses, "400")
		}
		for _, s := range statuses {
			if o.Responses[s].Content["application/problem+json"] == nil {
				t.Errorf("%s %s: a %s is not described", op.Method, op.Path, s)
			}
		}
		if _, ok := o.Responses["422"]; ok {
			t.Errorf("%s %s: describes a 422, which is never sent", op.Method, op.Path)
		}
	}
	for _, part := range strings.Split(string(a.body), `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("schema %s is referred to and does not exist", name)
		}
	}
	for _, name := range []string{"User", "Problem", "LoginBody", "LoginRequest"} {
		if doc.Components.Schemas[name] == nil {
			t.Errorf("schema %s is missing", name)
		}
	}
	if doc.Components.Schemas["ErrorModel"] != nil {
		t.Error("the library's own error type is described, which is never sent")
	}
}
