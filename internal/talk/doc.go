// Package talk is `liao talk`: a terminal client of one line at a time, for people
// and for scripts. It is built on the SDK alone, as any other client would be.
//
// On a terminal it keeps what is being typed apart from what comes in, remembers
// and completes. With its input from anywhere else it is a script's hands and
// eyes: every command ends with a line "ok" or "error", everything that happens
// is a line of a fixed form (script.go), and /wait waits for one. Its exit code
// says whether all went as the script said.
//
// What other people wrote is neutralised before it reaches a terminal: no
// control character of theirs does.
//
// Files, in the order of the trip: talk.go (flags, start, end), profile.go (what
// is kept), ui.go, terminal.go and script.go (lines in and out), commands.go
// (the table), account.go, people.go, chat.go and wait.go (what the commands
// do), events.go (what happens by itself), show.go (how it looks), words.go
// (texts for people).
package talk
