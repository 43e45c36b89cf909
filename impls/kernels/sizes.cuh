// The sizes of epoch.cu. REAL, PIXELS, HIDDEN, OUTPUTS, CHUNK, CHUNKS, BLOCKS, THREADS and SHARED_BYTES are the host's to define.

constexpr int UNITS = (HIDDEN + BLOCKS - 1) / BLOCKS;      // hidden units of a block
constexpr int COLUMNS = (PIXELS + THREADS - 1) / THREADS;  // pixels of a thread
constexpr int WARPS = THREADS / 32;
constexpr int EXAMPLES = CHUNKS * CHUNK;  // room for a mini-batch, CHUNK of them in a thread's registers at once
constexpr int ITEMS = (OUTPUTS * EXAMPLES + QUAD - 1) / QUAD * QUAD;  // a block's part of z_2, [OUTPUTS][EXAMPLES], in whole QUADs
