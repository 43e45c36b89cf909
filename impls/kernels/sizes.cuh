// The sizes of epoch.cu. The host defines REAL, PIXELS, HIDDEN, OUTPUTS, CHUNK, CHUNKS, BLOCKS, THREADS and SHARED_BYTES.

constexpr int UNITS = (HIDDEN + BLOCKS - 1) / BLOCKS;      // hidden units of a block
constexpr int COLUMNS = (PIXELS + THREADS - 1) / THREADS;  // pixels of a thread
constexpr int WARPS = THREADS / 32;
constexpr int EXAMPLES = CHUNKS * CHUNK;  // of a padded mini-batch; a thread holds CHUNK of them in registers
constexpr int ITEMS = (OUTPUTS * EXAMPLES + QUAD - 1) / QUAD * QUAD;  // a block's part of z_2, [OUTPUTS][EXAMPLES], in whole QUADs
