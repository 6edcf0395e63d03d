package gate

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// statuses is the gate's table from the codes of failures to HTTP.
func statuses() [im.CodeCount]int {
	return [im.CodeCount]int{
		im.Internal:        http.StatusInternalServerError,
		im.Invalid:         http.StatusBadRequest,
		im.Unauthenticated: http.StatusUnauthorized,
		im.Forbidden:       http.StatusForbidden,
		im.NotFound:        http.StatusNotFound,
		im.AlreadyExists:   http.StatusConflict,
		im.TooLarge:        http.StatusRequestEntityTooLarge,
		im.RateLimited:     http.StatusTooManyRequests,
		im.Overloaded:      http.StatusServiceUnavailable,
		im.Unavailable:     http.StatusServiceUnavailable,
		im.Unsupported:     http.StatusUnsupportedMediaType,
		im.Conflict:        http.StatusConflict,
	}
}

// problem is an RFC 9457 problem document, and an error that the API library writes
// as it is.
type problem struct {
	Title  string `json:"title" doc:"The HTTP status in words" example:"Bad Request"`
	Status int    `json:"status" doc:"The HTTP status" example:"400"`
	Code   string `json:"code" doc:"What programs decide by" enum:"internal,invalid,unauthenticated,forbidden,not_found,already_exists,too_large,rate_limited,overloaded,unavailable,unsupported,conflict"`
	Detail string `json:"detail" doc:"What is wrong and what to do, for people" example:"email must be an address such as name@example.org"`

	retry time.Duration
}

// problemOf explains an error as a problem document.
func problemOf(err error) *problem {
	e := im.Explain(err)
	status := statuses()[e.Code]
	return &problem{
		Title:  http.StatusText(status),
		Status: status,
		Code:   e.Code.String(),
		Detail: e.Text,
		retry:  e.RetryAfter,
	}
}

// notAllowed is a path that exists, with a method that it does not have.
func notAllowed() *problem {
	p := problemOf(im.Fail(im.Unsupported, "this path does not have this method; see the Allow header"))
	p.Status = http.StatusMethodNotAllowed
	p.Title = http.StatusText(p.Status)
	return p
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus, GetHeaders and ContentType are what the API library asks an error for.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders are the headers that belong to the status.
func (p *problem) GetHeaders() http.Header {
	h := make(http.Header)
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		seconds := max(1, int(math.Ceil(p.retry.Seconds())))
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	return h
}

// ContentType is that of problem documents.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// writeProblem answers with a problem from outside the API library.
func writeProblem(w http.ResponseWriter, p *problem) {
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // an error here is a client that went away
}

// fail is the end of every error: what our own fault is goes into the log, the rest
// is the client's to read.
func (g *Gate) fail(ctx context.Context, operation string, err error) *problem {
	p := problemOf(err)
	gone := errors.Is(ctx.Err(), context.Canceled)
	if (p.Status == http.StatusInternalServerError || p.Code == im.Unavailable.String()) && !gone {
		g.log.ErrorContext(ctx, "request failed", "operation", operation, "error", err)
	}
	return p
}
