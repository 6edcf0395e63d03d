package im

import "time"

// Device is a client as its user knows it. ID is given by the server at the first
// login and comes back with later ones.
type Device struct {
	ID       string
	Name     string // up to 64 characters
	Platform string // such as "web", "ios", "terminal"; up to 32 characters
}

// CheckDevice returns the device with its texts trimmed and checked. An id is only
// looked at by the store.
func CheckDevice(d Device) (Device, error) {
	var err error
	if d.Name, err = checkLine("device.name", d.Name, 0, 64); err != nil {
		return Device{}, err
	}
	if d.Platform, err = checkLine("device.platform", d.Platform, 0, 32); err != nil {
		return Device{}, err
	}
	if len(d.ID) > 64 {
		return Device{}, Fail(Invalid, "device.id must be one that an earlier login gave")
	}
	return d, nil
}

// NewLogin is what the gate asks the store to keep once a password was right. The
// tokens themselves never reach a store.
type NewLogin struct {
	User   UserID
	Device Device // with an id only if the client says that it has one
	Tokens TokenPair
}

// TokenPair is what a store keeps of an access and a refresh token.
type TokenPair struct {
	Access     TokenHash
	Refresh    TokenHash
	AccessFor  time.Duration // life of the access token
	RefreshFor time.Duration // life of the refresh token
}

// Login is one device's right to act for its user.
type Login struct {
	ID       LoginID
	User     User
	Device   Device
	LastSeen Millis
}

// Session is what an access token proves, as of the database's clock.
type Session struct {
	User   User
	Login  LoginID
	Device Device
	At     Micros // the database's clock when the token was looked up
}

// Revocation says that a login ended; every chat node hangs up on its sessions.
type Revocation struct {
	ID    uint64 // rising, though rows may become visible out of order
	Login LoginID
}

// Sighting says that a login was in use.
type Sighting struct {
	Login LoginID
	At    Millis
}
