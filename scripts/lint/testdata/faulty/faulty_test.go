package faulty

import "testing"

func TestUsesWhatNothingElseDoes(*testing.T) { tests() }
