// What files.c does, through Go's standard library.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func yes(good bool) string {
	if good {
		return "yes"
	}
	return "no"
}

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func list(folder string) {
	entries, err := os.ReadDir(folder) // sorted
	check(err)
	fmt.Print("listing:")
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			fmt.Print(" ", entry.Name())
		}
	}
	fmt.Println()
}

func main() {
	folder := "."
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	name, set := os.LookupEnv("NAME")
	if !set {
		name = "none"
	}
	fmt.Println("name:", name)
	one, two, three := filepath.Join(folder, "one"), filepath.Join(folder, "sub", "two"), filepath.Join(folder, "three")
	check(os.Mkdir(filepath.Join(folder, "sub"), 0o777))
	check(os.WriteFile(one, []byte("hello, "), 0o666))
	file, err := os.OpenFile(one, os.O_APPEND|os.O_WRONLY, 0)
	check(err)
	_, err = file.WriteString("files")
	check(err)
	check(file.Close())
	file, err = os.Open(one)
	check(err)
	_, err = file.Seek(7, io.SeekStart)
	check(err)
	text, err := io.ReadAll(file)
	check(err)
	check(file.Close())
	fmt.Printf("from 7 on: %s\n", text)
	info, err := os.Stat(one)
	check(err)
	fmt.Println("size:", info.Size())
	check(os.Rename(one, two))
	_, err = os.Stat(one)
	fmt.Println("missing:", yes(errors.Is(err, os.ErrNotExist)))
	check(os.WriteFile(three, []byte("3"), 0o666))
	list(folder)
	begin := time.Now()
	time.Sleep(20 * time.Millisecond)
	fmt.Println("slept:", yes(time.Since(begin) >= 20*time.Millisecond))
	fmt.Println("this century:", yes(time.Now().Unix() > 978307200))
	check(os.Remove(two))
	check(os.Remove(filepath.Join(folder, "sub")))
	check(os.Remove(three))
	list(folder)
}
