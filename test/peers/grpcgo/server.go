package main

import (
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func unary(stream grpc.ServerStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	given, _ := metadata.FromIncomingContext(stream.Context())
	if values := given.Get("x-echo"); len(values) > 0 {
		stream.SetHeader(metadata.Pairs("x-echo", values[0]))
	}
	if values := given.Get("x-echo-bin"); len(values) > 0 {
		stream.SetTrailer(metadata.Pairs("x-echo-bin", values[0]))
	}
	return stream.SendMsg(&message)
}

func up(stream grpc.ServerStream) error {
	total := 0
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		total += len(message)
	}
	answer := fmt.Appendf(nil, "%d", total)
	return stream.SendMsg(&answer)
}

func down(stream grpc.ServerStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	var count, size int
	if _, err := fmt.Sscanf(string(message), "%d,%d", &count, &size); err != nil {
		return err
	}
	part := make([]byte, size)
	for range count {
		if err := stream.SendMsg(&part); err != nil {
			return err
		}
	}
	return nil
}

func both(stream grpc.ServerStream) error {
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}

// fail ends with the status FAILED_PRECONDITION and the text that came.
func fail(stream grpc.ServerStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	return status.Error(codes.FailedPrecondition, string(message))
}

func slow(stream grpc.ServerStream) error {
	select {
	case <-stream.Context().Done():
		return stream.Context().Err()
	case <-time.After(3 * time.Second):
		return unary(stream)
	}
}

func server(host string, pair []string) error {
	options := []grpc.ServerOption{grpc.ForceServerCodec(raw{})}
	if len(pair) == 2 {
		identity, err := credentials.NewServerTLSFromFile(pair[0], pair[1])
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(identity))
	}
	service := &grpc.ServiceDesc{ServiceName: "sidespan.test.Interop", HandlerType: (*any)(nil)}
	for name, handle := range map[string]func(grpc.ServerStream) error{
		"Unary": unary, "Up": up, "Down": down, "Both": both, "Fail": fail, "Slow": slow} {
		service.Streams = append(service.Streams, grpc.StreamDesc{
			StreamName: name, ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error {
				given, _ := metadata.FromIncomingContext(stream.Context())
				fmt.Println("call", name, given.Get("traceparent"))
				return handle(stream)
			}})
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	program := grpc.NewServer(options...)
	program.RegisterService(service, nil)
	return program.Serve(listener)
}
