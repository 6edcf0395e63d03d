package gate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type specOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// describeSelf describes the call that gives the description.
func (g *Gate) describeSelf() {
	register(g, call{
		id: "getDescription", method: http.MethodGet, path: "/v1/openapi.json", status: http.StatusOK,
		summary: "Get this description",
	}, func(context.Context, *nothing) (*specOutput, error) {
		return &specOutput{ContentType: "application/json", Body: g.spec}, nil
	})
	// What is raw bytes to the library, the description should call by its name.
	paths := g.api.OpenAPI().Paths
	paths["/v1/openapi.json"].Get.Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: "object"}},
	}
	picture := paths["/v1/avatars/{sha256}"].Get.Responses["200"]
	picture.Content = pictureBody().Content
}

const pageStyle = `body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}
code{background:#eee;padding:.1em .3em;border-radius:3px}`

const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>liao</title><style>` + pageStyle + `</style></head><body>
<h1>liao is running</h1>
<p>This is the gate of a liao server: programs sign up, log in and find a chat node here.</p>
<p>To talk from a terminal, run <code>liao talk --gate</code> with the address of this page.</p>
<p>To write a client, read the <a href="/v1/openapi.json">description of the gate</a> and the
protocol that comes with the source, <code>docs/protocol.md</code>.</p>
</body></html>
`

// servePage tells people who open the address in a browser what they have found.
func (g *Gate) servePage(w http.ResponseWriter, _ *http.Request) {
	hash := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write([]byte(page)) // an error here is a reader that went away
}
