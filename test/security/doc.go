// Package security attacks the real binary, one test for each class of attack that
// has hit systems of this kind: what was tried elsewhere is tried here and must
// come to nothing. Everything goes to loopback, is bounded and stops by itself.
//
// Files: defaults_test.go (what a plain start leaves open), login_test.go (tokens,
// codes, guesses), matrix_test.go (every operation by every kind of caller),
// identity_test.go (pretending to be somebody), input_test.go (lengths, depths,
// fragments, poison), http_test.go (paths, bodies, origins), images_test.go,
// canary_test.go (secrets in logs).
package security
