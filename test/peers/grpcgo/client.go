package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const service = "/sidespan.test.Interop/"

var streaming = grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

type calls struct {
	connection *grpc.ClientConn
	ctx        context.Context
}

func (c calls) unary(path string, message []byte, options ...grpc.CallOption) ([]byte, error) {
	var answer []byte
	err := c.connection.Invoke(c.ctx, path, &message, &answer, options...)
	return answer, err
}

// stream sends all messages, ends its side and reads what comes back.
func (c calls) stream(method string, messages [][]byte, options ...grpc.CallOption) ([][]byte, error) {
	stream, err := c.connection.NewStream(c.ctx, &streaming, service+method, options...)
	if err != nil {
		return nil, err
	}
	for _, message := range messages {
		if err := stream.SendMsg(&message); err != nil {
			return nil, err
		}
	}
	stream.CloseSend()
	var answers [][]byte
	for {
		var answer []byte
		err := stream.RecvMsg(&answer)
		if err == io.EOF {
			return answers, nil
		}
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
}

func (c calls) pingPong(times int, cancel context.CancelFunc) (int, error) {
	stream, err := c.connection.NewStream(c.ctx, &streaming, service+"Both")
	if err != nil {
		return 0, err
	}
	message := []byte("ping")
	done := 0
	for ; done < times; done++ {
		var answer []byte
		if err := stream.SendMsg(&message); err != nil {
			return done, err
		}
		if err := stream.RecvMsg(&answer); err != nil {
			return done, err
		}
	}
	if cancel != nil {
		cancel()
	} else {
		stream.CloseSend()
	}
	var answer []byte
	err = stream.RecvMsg(&answer)
	if err == io.EOF {
		err = nil
	}
	return done, err
}

func client(target string, secure bool) error {
	how := insecure.NewCredentials()
	if secure {
		how = credentials.NewTLS(nil) // the machine's trust, as its environment names it
	}
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(how),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := calls{connection, ctx}
	number := func(err error) int { return int(status.Code(err)) }

	answer, err := c.unary(service+"Unary", nil)
	fmt.Println("empty", number(err), len(answer))
	answer, err = c.unary(service+"Unary", make([]byte, 300_000))
	fmt.Println("large", number(err), len(answer))
	answers, err := c.stream("Up", [][]byte{make([]byte, 1000), make([]byte, 20), make([]byte, 100_000)})
	fmt.Println("up", number(err), string(answers[0]))
	answers, err = c.stream("Down", [][]byte{[]byte("5,1000")})
	fmt.Println("down", number(err), len(answers))
	answers, err = c.stream("Both", [][]byte{[]byte("a"), []byte("b"), []byte("c")})
	fmt.Println("both", number(err), len(answers))
	done, err := c.pingPong(4, nil)
	fmt.Println("pingpong", number(err), done)

	inner, stop := context.WithCancel(ctx)
	stream, err := connection.NewStream(inner, &streaming, service+"Up")
	if err == nil {
		time.Sleep(200 * time.Millisecond)
		stop()
		err = stream.RecvMsg(&answer)
	}
	fmt.Println("cancel_begin", number(err))
	inner, stop = context.WithCancel(ctx)
	done, err = calls{connection, inner}.pingPong(1, stop)
	fmt.Println("cancel_first", number(err), done)
	inner, stop = context.WithTimeout(ctx, 400*time.Millisecond)
	_, err = calls{connection, inner}.unary(service+"Slow", nil)
	stop()
	fmt.Println("deadline", number(err))
	_, err = c.unary(service+"Fail", []byte("näh: 不行 😀\n\tend"))
	fmt.Printf("status %d %x\n", number(err), status.Convert(err).Message())
	var head, tail metadata.MD
	inner = metadata.AppendToOutgoingContext(ctx, "x-echo", "a word", "x-echo-bin", "\x00\xffab\x01")
	_, err = calls{connection, inner}.unary(service+"Unary", nil, grpc.Header(&head), grpc.Trailer(&tail))
	fmt.Printf("metadata %d %s %x\n", number(err), head.Get("x-echo")[0], tail.Get("x-echo-bin")[0])
	_, err = c.unary(service+"Missing", nil)
	fmt.Println("no_method", number(err))
	_, err = c.unary("/sidespan.test.Missing/Unary", nil)
	fmt.Println("no_service", number(err))
	answer, err = c.unary(service+"Unary", make([]byte, 20_000), grpc.UseCompressor("gzip"))
	fmt.Println("gzip", number(err), len(answer))
	answers, err = c.stream("Both", [][]byte{make([]byte, 9000), make([]byte, 1), nil}, grpc.UseCompressor("gzip"))
	fmt.Println("gzip_stream", number(err), len(answers))
	return nil
}
