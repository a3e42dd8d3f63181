// The workloads in Go: main WORKLOAD N prints the same line of JSON as the Python ones, which say what an operation is.
// Unbuffered channels, one processor (GOMAXPROCS=1 whatever the environment says), process CPU time.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

type ball struct{}

// together runs the tasks and waits until they have ended.
func together(tasks ...func()) {
	var group sync.WaitGroup
	group.Add(len(tasks))
	for _, task := range tasks {
		go func() { task(); group.Done() }()
	}
	group.Wait()
}

// shares divides n operations among k tasks as evenly as can be.
func shares(n, k int) []int {
	counts := make([]int, k)
	for i := range counts {
		counts[i] = n / k
		if i < n%k {
			counts[i]++
		}
	}
	return counts
}

func produce(ch chan<- ball, n int) {
	for range n {
		ch <- ball{}
	}
}

func consume(ch <-chan ball, n int) {
	for range n {
		<-ch
	}
}

func pingpong(n int) {
	toPong, toPing := make(chan ball), make(chan ball)
	ping := func() {
		for range n {
			toPong <- ball{}
			<-toPing
		}
	}
	pong := func() {
		for range n {
			<-toPong
			toPing <- ball{}
		}
	}
	together(ping, pong)
}

func pipe(n int) {
	ch := make(chan ball)
	together(func() { consume(ch, n) }, func() { produce(ch, n) })
}

func yielding(n, k int) {
	var tasks []func()
	for _, times := range shares(n, k) {
		tasks = append(tasks, func() {
			for range times {
				runtime.Gosched()
			}
		})
	}
	together(tasks...)
}

func nothing(group *sync.WaitGroup) { group.Done() }

func spawn(n int) {
	const batch = 100
	var group sync.WaitGroup
	for done := 0; done < n; done += batch {
		size := min(batch, n-done)
		group.Add(size)
		for range size {
			go nothing(&group)
		}
		group.Wait()
	}
}

func ring(n int) {
	const tasks = 503
	var channels [tasks]chan int
	for i := range channels {
		channels[i] = make(chan int)
	}
	end := make(chan ball)
	for i := range tasks {
		inlet, outlet := channels[i], channels[(i+1)%tasks]
		go func() {
			hops := <-inlet
			for hops > 0 {
				outlet <- hops - 1
				hops = <-inlet
			}
			end <- ball{}
		}()
	}
	channels[0] <- n - 1
	<-end
}

// feed works out what makes n transfers, as in sieve.py.
func feed(n int) []int {
	var primes, numbers []int
	for number := 2; ; number++ {
		at := 0
		for at < len(primes) && number%primes[at] != 0 {
			at++
		}
		if at+1 > n {
			for range n {
				numbers = append(numbers, 4)
			}
			return numbers
		}
		if at == len(primes) {
			primes = append(primes, number)
		}
		numbers = append(numbers, number)
		n -= at + 1
	}
}

func sift(prime int, inlet <-chan int, outlet chan<- int) {
	for number := range inlet {
		if number%prime != 0 {
			outlet <- number
		}
	}
	close(outlet)
}

func sieve(numbers []int) {
	source := make(chan int)
	go func() {
		for _, number := range numbers {
			source <- number
		}
		close(source)
	}()
	outlet := source
	for {
		prime, more := <-outlet // "range outlet" would stay with the first channel
		if !more {
			return
		}
		next := make(chan int)
		go sift(prime, outlet, next)
		outlet = next
	}
}

func fanin(n int) {
	const senders = 100
	ch := make(chan ball)
	tasks := []func(){func() { consume(ch, n) }}
	for _, items := range shares(n, senders) {
		tasks = append(tasks, func() { produce(ch, items) })
	}
	together(tasks...)
}

func selecting(n, k int, receiveAll func([]chan ball, int)) {
	channels := make([]chan ball, k)
	for i := range channels {
		channels[i] = make(chan ball)
	}
	tasks := []func(){func() { receiveAll(channels, n) }}
	for i, items := range shares(n, k) {
		tasks = append(tasks, func() { produce(channels[i], items) })
	}
	together(tasks...)
}

// memory blocks n goroutines on a channel, and returns the growth of the resident set per goroutine, in bytes.
func memory(n int) int {
	ch := make(chan ball)
	before := resident()
	for range n {
		go func() { <-ch }()
	}
	runtime.Gosched()
	return (resident() - before) / n
}

func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, pages int
	fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize()
}

func cpuSeconds() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func main() {
	runtime.GOMAXPROCS(1)
	workloads := map[string]func(int){
		"pingpong":  pingpong,
		"pipe":      pipe,
		"yield2":    func(n int) { yielding(n, 2) },
		"yield1000": func(n int) { yielding(n, 1000) },
		"spawn":     spawn,
		"ring":      ring,
		"fanin":     fanin,
		"select2":   func(n int) { selecting(n, 2, receiveAll2) },
		"select8":   func(n int) { selecting(n, 8, receiveAll8) },
		"select64":  func(n int) { selecting(n, 64, receiveAll64) },
	}
	more := ""
	workloads["memory"] = func(n int) { more = fmt.Sprintf(`, "bytes_per_op": %d`, memory(n)) }
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: main WORKLOAD N")
		os.Exit(2)
	}
	name := os.Args[1]
	n, err := strconv.Atoi(os.Args[2])
	if err != nil || n < 1 {
		fmt.Fprintf(os.Stderr, "N must be a whole number above 0, not %s\n", os.Args[2])
		os.Exit(2)
	}
	if name == "sieve" {
		numbers := feed(n)
		workloads[name] = func(int) { sieve(numbers) }
	}
	work, known := workloads[name]
	if !known {
		fmt.Fprintf(os.Stderr, "there is no workload %s in Go\n", name)
		os.Exit(2)
	}
	began := cpuSeconds()
	work(n)
	seconds := cpuSeconds() - began
	fmt.Printf("{\"workload\": %q, \"ops\": %d, \"seconds\": %.9f, \"ns_per_op\": %.2f%s}\n",
		name, n, seconds, seconds/float64(n)*1e9, more)
}

func receiveAll2(c []chan ball, n int) {
	for range n {
		select {
		case <-c[0]:
		case <-c[1]:
		}
	}
}

func receiveAll8(c []chan ball, n int) {
	for range n {
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		case <-c[4]:
		case <-c[5]:
		case <-c[6]:
		case <-c[7]:
		}
	}
}

func receiveAll64(c []chan ball, n int) {
	for range n {
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		case <-c[4]:
		case <-c[5]:
		case <-c[6]:
		case <-c[7]:
		case <-c[8]:
		case <-c[9]:
		case <-c[10]:
		case <-c[11]:
		case <-c[12]:
		case <-c[13]:
		case <-c[14]:
		case <-c[15]:
		case <-c[16]:
		case <-c[17]:
		case <-c[18]:
		case <-c[19]:
		case <-c[20]:
		case <-c[21]:
		case <-c[22]:
		case <-c[23]:
		case <-c[24]:
		case <-c[25]:
		case <-c[26]:
		case <-c[27]:
		case <-c[28]:
		case <-c[29]:
		case <-c[30]:
		case <-c[31]:
		case <-c[32]:
		case <-c[33]:
		case <-c[34]:
		case <-c[35]:
		case <-c[36]:
		case <-c[37]:
		case <-c[38]:
		case <-c[39]:
		case <-c[40]:
		case <-c[41]:
		case <-c[42]:
		case <-c[43]:
		case <-c[44]:
		case <-c[45]:
		case <-c[46]:
		case <-c[47]:
		case <-c[48]:
		case <-c[49]:
		case <-c[50]:
		case <-c[51]:
		case <-c[52]:
		case <-c[53]:
		case <-c[54]:
		case <-c[55]:
		case <-c[56]:
		case <-c[57]:
		case <-c[58]:
		case <-c[59]:
		case <-c[60]:
		case <-c[61]:
		case <-c[62]:
		case <-c[63]:
		}
	}
}
