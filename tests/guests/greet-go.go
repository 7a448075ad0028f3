// A guest in Go: greets whom NAME says; goroutines and the garbage collector do some work first.
package main

import (
	"fmt"
	"os"
	"sort"
	"sync"
)

func main() {
	name := os.Getenv("NAME")
	if name == "" {
		name = "World"
	}
	var wait sync.WaitGroup
	squares := make([]int, 100)
	for i := range squares {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			squares[i] = len(fmt.Sprint(make([]int, i)))
		}(i)
	}
	wait.Wait()
	sort.Ints(squares)
	fmt.Printf("Hello, %s! (Go, %d)\n", name, squares[len(squares)-1])
}
