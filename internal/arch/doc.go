// Package arch holds the plan of the code base as a test.
//
// ARCHITECTURE.md draws the rooms and says who may import whom; this package
// fails the build when the code says otherwise. So the picture stays true, and
// a short cut from one room into another is a decision that somebody takes in
// plan_test.go, with a reviewer looking, rather than a line that slips in.
//
// It promises that a passing build has
//
//   - no package that the plan does not name, and no name without a package;
//   - no import of ours that the plan does not allow, whatever the build tags;
//   - none of the imports and modules of the rules, each of which has its
//     reason beside it;
//   - no production code that imports package testing;
//   - no package named like a standard one or like a drawer for odds and ends.
//
// Files: plan_test.go is the plan and the rules, arch_test.go holds the code
// to them, source_test.go reads the code.
package arch
