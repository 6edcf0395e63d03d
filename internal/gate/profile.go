package gate

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liao-im/liao/internal/im"
)

type profileInput struct {
	Body struct {
		Name *string `json:"name,omitempty" doc:"As shown, 1 to 64 characters"`
		Bio  *string `json:"bio,omitempty" doc:"Up to 500 characters"`
	} `nameHint:"ProfileChange"`
}

type pictureInput struct {
	RawBody []byte
}

type pictureOutput struct {
	Status        int
	ContentType   string `header:"Content-Type"`
	CacheControl  string `header:"Cache-Control"`
	ETag          string `header:"ETag"`
	ContentPolicy string `header:"Content-Security-Policy"`
	Body          []byte
}

type picturePath struct {
	SHA256 string `path:"sha256" maxLength:"64" doc:"Lower-case hex, from a user's avatar"`
	Match  string `header:"If-None-Match"`
}

func (g *Gate) describeProfiles() {
	register(g, call{
		id: "getMe", method: http.MethodGet, path: "/v1/me", status: http.StatusOK, login: true,
		summary:  "Get the own profile",
		refusals: []int{http.StatusUnauthorized},
	}, g.getMe)
	register(g, call{
		id: "changeMe", method: http.MethodPatch, path: "/v1/me", status: http.StatusOK, login: true,
		summary:  "Change what is given of the own profile",
		refusals: []int{http.StatusBadRequest, http.StatusUnauthorized},
	}, g.changeMe)
	register(g, call{
		id: "setAvatar", method: http.MethodPut, path: "/v1/me/avatar", status: http.StatusOK, login: true,
		summary:  "Set the own picture: PNG, JPEG or WebP, at most 256 KiB and 1024 pixels a side; what it says besides the picture (place, camera) is taken out",
		refusals: []int{http.StatusBadRequest, http.StatusUnauthorized},
		body:     pictureBody(), maxBody: maxPicture,
	}, g.setAvatar)
	register(g, call{
		id: "removeAvatar", method: http.MethodDelete, path: "/v1/me/avatar", status: http.StatusOK, login: true,
		summary:  "Take the own picture away",
		refusals: []int{http.StatusUnauthorized},
	}, g.removeAvatar)
	register(g, call{
		id: "getAvatar", method: http.MethodGet, path: "/v1/avatars/{sha256}", status: http.StatusOK,
		summary:  "Get a picture; what has this name never changes",
		refusals: []int{http.StatusNotFound},
	}, g.getAvatar)
}

func pictureBody() *huma.RequestBody {
	b := &huma.RequestBody{Required: true, Content: make(map[string]*huma.MediaType)}
	for _, kind := range []string{"image/png", "image/jpeg", "image/webp"} {
		b.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	}
	return b
}

func (g *Gate) getMe(ctx context.Context, _ *nothing) (*userAnswer, error) {
	return answerUser(callerOf(ctx).session.User), nil
}

func (g *Gate) changeMe(ctx context.Context, in *profileInput) (*userAnswer, error) {
	var change im.ProfileChange
	if in.Body.Name != nil {
		name, err := im.CheckName(*in.Body.Name)
		if err != nil {
			return nil, err
		}
		change.Name = &name
	}
	if in.Body.Bio != nil {
		bio, err := im.CheckBio(*in.Body.Bio)
		if err != nil {
			return nil, err
		}
		change.Bio = &bio
	}
	return answer(g.profiles.SetProfile(ctx, callerOf(ctx).session.User.ID, change))
}

func (g *Gate) setAvatar(ctx context.Context, in *pictureInput) (*userAnswer, error) {
	c := callerOf(ctx)
	a, err := checkPicture(in.RawBody, c.kind)
	if err != nil {
		return nil, err
	}
	return answer(g.profiles.SetAvatar(ctx, c.session.User.ID, &a))
}

func (g *Gate) removeAvatar(ctx context.Context, _ *nothing) (*userAnswer, error) {
	return answer(g.profiles.SetAvatar(ctx, callerOf(ctx).session.User.ID, nil))
}

func answer(u im.User, err error) (*userAnswer, error) {
	if err != nil {
		return nil, err
	}
	return answerUser(u), nil
}

func (g *Gate) getAvatar(ctx context.Context, in *picturePath) (*pictureOutput, error) {
	a, err := g.profiles.Avatar(ctx, in.SHA256)
	if err != nil {
		return nil, err
	}
	out := &pictureOutput{
		Status:       http.StatusOK,
		ContentType:  a.Type,
		CacheControl: "public, max-age=31536000, immutable",
		ETag:         `"` + a.SHA256 + `"`,
		// Opened as a page of its own, a picture may do nothing at all.
		ContentPolicy: "default-src 'none'; sandbox",
		Body:          a.Bytes,
	}
	if in.Match == out.ETag {
		out.Status = http.StatusNotModified
		out.Body = nil
	}
	return out, nil
}
