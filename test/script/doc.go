// Package script drives the real binary by the scripts in testdata: flags,
// configuration errors, first start, operator commands, and the whole story
// through `liao talk`. Besides the commands of testscript itself a script has:
//
//	serve [args...]          start `liao serve` on a data folder and addresses of its own and wait until it is ready;
//	                         sets GATE, CHAT, OPS and DATA
//	stop                     SIGTERM; fails unless it exits with 0 within 10 s
//	kill                     SIGKILL
//	code EMAIL VAR           put the newest code mailed to EMAIL into VAR
//	http METHOD PATH [BODY]  ask the gate; status and body go to stdout
//	ops PATH                 ask the operator's address; status and body go to stdout
//	signup HANDLE            an account HANDLE@example.org with the usual password
package script
