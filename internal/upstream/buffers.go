package upstream

import "sync"

// buffers keeps the copy buffers of streams, so that a large artifact costs one of them and no more.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([64 << 10]byte) }}}
}

// Get gives a buffer (httputil.BufferPool).
func (b *buffers) Get() []byte { return b.pool.Get().(*[64 << 10]byte)[:] }

// Put takes it back.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[64 << 10]byte)(buffer)) }
