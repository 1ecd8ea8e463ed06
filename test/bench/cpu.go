package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of times in /proc: Linux shows hundredths of a second to
// programs, whatever it counts in.
const tick = 10 * time.Millisecond

// times are the processor times of a process.
type times struct {
	parent int
	own    time.Duration
	ended  time.Duration // of its children that have ended, and of theirs
}

func timesOf(pid int) (times, error) { return readTimes(fmt.Sprintf("/proc/%d/stat", pid)) }

func readTimes(path string) (times, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return times{}, err
	}
	// The name, in brackets, may hold anything; the fields after it are fixed.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const parent, user, system, endedUser, endedSystem = 1, 11, 12, 13, 14
	if len(fields) <= endedSystem {
		return times{}, fmt.Errorf("%s is %q", path, text)
	}
	var numbers [endedSystem + 1]int
	for _, i := range []int{parent, user, system, endedUser, endedSystem} {
		if numbers[i], err = strconv.Atoi(fields[i]); err != nil {
			return times{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return times{
		parent: numbers[parent],
		own:    time.Duration(numbers[user]+numbers[system]) * tick,
		ended:  time.Duration(numbers[endedUser]+numbers[endedSystem]) * tick,
	}, nil
}

// familyTime is the processor time of a process and of its children, also of
// those that have ended. It looks again where one ended while it looked.
func familyTime(pid int) (time.Duration, error) {
	for {
		before, err := timesOf(pid)
		if err != nil {
			return 0, err
		}
		living, err := childrenTime(pid)
		if err != nil {
			return 0, err
		}
		after, err := timesOf(pid)
		if err != nil {
			return 0, err
		}
		if before.ended == after.ended {
			return after.own + after.ended + living, nil
		}
	}
}

func childrenTime(parent int) (time.Duration, error) {
	all, err := filepath.Glob("/proc/[1-9]*/stat")
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, path := range all {
		process, err := readTimes(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it ended
		}
		if err != nil {
			return 0, err
		}
		if process.parent == parent {
			total += process.own + process.ended
		}
	}
	return total, nil
}
