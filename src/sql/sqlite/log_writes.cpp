// See log_writes.hpp.
#include "sql/sqlite/log_writes.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

namespace dure::sql {

namespace {

// The library writes less than 128 KiB at once.
constexpr int longest_piece = 127 << 10;

}  // namespace

int LogWrites::attach(sqlite3* handle)
{
    sqlite3_file* file = nullptr;
    if (const int code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&file));
        code != SQLITE_OK)
        return code;
    if (!file || !file->pMethods)
        return SQLITE_NOTFOUND;
    base_ = file->pMethods;
    file_ = file;
    waiting_ = std::make_unique_for_overwrite<char[]>(longest_piece);
    methods_.list = *base_;
    methods_.list.xClose = &LogWrites::on_close;
    methods_.list.xRead = &LogWrites::on_read;
    methods_.list.xWrite = &LogWrites::on_write;
    methods_.list.xTruncate = &LogWrites::on_truncate;
    methods_.list.xSync = &LogWrites::on_sync;
    methods_.list.xFileSize = &LogWrites::on_size;
    methods_.owner = this;
    file->pMethods = &methods_.list;
    return sync();  // the first one of a file changes what is known of it: the name in the folder is synchronised too
}

int LogWrites::sync()
{
    const std::lock_guard lock(syncing_);
    if (failed_ == SQLITE_OK)
        failed_ = base_->xSync(file_, SQLITE_SYNC_NORMAL);
    return failed_;
}

LogWrites& LogWrites::of(sqlite3_file* file)
{
    return *reinterpret_cast<const Methods*>(file->pMethods)->owner;  // the list is its first member
}

int LogWrites::write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to)
{
    head_written_ = to == 0;
    if (used_ > 0 && (to != begin_ + used_ || size > longest_piece - used_))
        if (const int code = flush(file); code != SQLITE_OK)
            return code;
    if (size > longest_piece)
        return pass_on(file, bytes, size, to);
    if (used_ == 0)
        begin_ = to;
    std::memcpy(waiting_.get() + used_, bytes, static_cast<std::size_t>(size));
    used_ += size;
    return SQLITE_OK;
}

int LogWrites::flush(sqlite3_file* file)
{
    if (used_ == 0)
        return SQLITE_OK;
    const int size = std::exchange(used_, 0);
    return pass_on(file, waiting_.get(), size, begin_);
}

// SQLite knows of a full disk, and takes a file that has reached its limit for a broken one.
int LogWrites::pass_on(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to)
{
    const int code = base_->xWrite(file, bytes, size, to);
    int cause = 0;
    const bool limited = code == SQLITE_IOERR_WRITE &&
                         base_->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &cause) == SQLITE_OK && cause == EFBIG;
    return limited ? SQLITE_FULL : code;
}

int LogWrites::on_close(sqlite3_file* file)
{
    auto& self = of(file);
    const int code = self.flush(file);
    const int closed = self.base_->xClose(file);
    return code == SQLITE_OK ? closed : code;
}

int LogWrites::on_read(sqlite3_file* file, void* into, int size, sqlite3_int64 from)
{
    auto& self = of(file);
    const bool waits = self.used_ > 0 && from < self.begin_ + self.used_ && from + size > self.begin_;
    if (const int code = waits ? self.flush(file) : SQLITE_OK; code != SQLITE_OK)
        return code;
    return self.base_->xRead(file, into, size, from);
}

int LogWrites::on_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to)
{
    return of(file).write(file, bytes, size, to);
}

int LogWrites::on_truncate(sqlite3_file* file, sqlite3_int64 size)
{
    auto& self = of(file);
    if (const int code = self.flush(file); code != SQLITE_OK)
        return code;
    return self.base_->xTruncate(file, size);
}

int LogWrites::on_sync(sqlite3_file* file, int)
{
    auto& self = of(file);
    if (const int code = self.flush(file); code != SQLITE_OK)
        return code;
    return self.later_ && !self.head_written_ ? SQLITE_OK : self.sync();
}

int LogWrites::on_size(sqlite3_file* file, sqlite3_int64* size)
{
    auto& self = of(file);
    if (const int code = self.flush(file); code != SQLITE_OK)
        return code;
    return self.base_->xFileSize(file, size);
}

}  // namespace dure::sql
