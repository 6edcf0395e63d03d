package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/liao-im/liao/internal/im"
)

// Sizes of bodies and how long one request may work.
const (
	maxBody     = 64 << 10
	maxPicture  = 256 << 10
	workFor     = 20 * time.Second // under the server's WriteTimeout, above two waits for the password slots
	schemaPath  = "#/components/schemas/"
	loginScheme = "login"
)

// Operation is one call of the gate.
type Operation struct {
	ID         string
	Method     string
	Path       string // with {name} for what varies
	NeedsLogin bool
}

// Operations lists every call that the gate's description holds, by path and method.
func (g *Gate) Operations() []Operation {
	var out []Operation
	for path, item := range g.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				out = append(out, Operation{ID: op.OperationID, Method: op.Method, Path: path, NeedsLogin: len(op.Security) > 0})
			}
		}
	}
	slices.SortFunc(out, func(a, b Operation) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	return out
}

// describe makes the API: its calls, and the document that describes them.
func (g *Gate) describe(version string) error {
	registry := huma.NewMapRegistry(schemaPath, huma.DefaultSchemaNamer)
	asJSON := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "liao gate",
				Version: version,
				Description: "Accounts, logins and profiles of a liao server, and where its chat nodes are. " +
					"Every id and every ...Ms is a string; ...S are seconds. Readers ignore what they do not know.",
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					loginScheme: {Type: "http", Scheme: "bearer", BearerFormat: "opaque", Description: "The accessToken of a Login."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": asJSON, "json": asJSON},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{toProblem},
	}
	// A reader ignores what it does not know: clients newer than this server work.
	config.AllowAdditionalPropertiesByDefault = true

	g.mux = http.NewServeMux()
	g.api = humago.New(g.mux, config)
	g.api.UseMiddleware(g.admit)
	g.describeCodes()
	g.describeAccounts()
	g.describeLogins()
	g.describeProfiles()
	g.describeNodes()
	g.describeSelf()
	g.mux.HandleFunc("GET /{$}", g.servePage)
	for _, path := range []string{"/reset", "/reset/page.js", "/reset/page.css"} {
		g.mux.HandleFunc("GET "+path, g.serveReset)
	}

	// The library describes its own error type, which is never sent.
	delete(registry.Map(), "ErrorModel")
	delete(registry.Map(), "ErrorDetail")
	var err error
	g.spec, err = json.MarshalIndent(g.api.OpenAPI(), "", " ")
	return err
}

// call describes one operation to the library, less what all have in common.
type call struct {
	id       string
	method   string
	path     string
	summary  string
	status   int
	refusals []int // besides those that every call may give
	login    bool
	body     *huma.RequestBody // if it is not JSON
	maxBody  int64             // 0: 64 KiB
}

// everywhere are the refusals that any call may give.
func everywhere() []int {
	return []int{
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusServiceUnavailable,
	}
}

// register adds a call and its handler. An error of the handler becomes a problem.
func register[I, O any](g *Gate, c call, handle func(context.Context, *I) (*O, error)) {
	registry := g.api.OpenAPI().Components.Schemas
	schema := registry.Schema(reflect.TypeFor[problem](), true, "Problem")
	responses := make(map[string]*huma.Response)
	for _, status := range append(everywhere(), c.refusals...) {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	op := huma.Operation{
		OperationID:   c.id,
		Method:        c.method,
		Path:          c.path,
		Summary:       c.summary,
		DefaultStatus: c.status,
		Responses:     responses,
		RequestBody:   c.body,
		// One more than may come: at this size the library would refuse by itself.
		MaxBodyBytes: cmp.Or(c.maxBody, maxBody) + 1,
	}
	if c.login {
		op.Security = []map[string][]string{{loginScheme: {}}}
	}
	huma.Register(g.api, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, workFor)
		defer cancel()
		out, err := handle(ctx, in)
		if err != nil {
			return nil, g.fail(ctx, c.id, err)
		}
		return out, nil
	})
}

// toProblem turns the library's own refusals (a body that does not fit its schema)
// into ours. Their status is put right by admitted.
func toProblem(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if m.Status >= http.StatusInternalServerError {
		return problemOf(im.Internal), nil
	}
	detail := m.Detail
	if len(m.Errors) > 0 {
		where := strings.TrimPrefix(strings.TrimPrefix(m.Errors[0].Location, "body"), ".")
		if where == "" {
			where = "the body"
		}
		detail = fmt.Sprintf("%s: %s", where, m.Errors[0].Message)
	}
	return problemOf(im.Fail(im.Invalid, detail)), nil
}
