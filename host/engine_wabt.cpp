// The only file that sees wabt; its headers (1.0.32) do not compile as C++20.

#include <sys/mman.h>
#include <wabt/interp/interp.h>

#include <algorithm>
#include <map>
#include <utility>

#include <wabt/binary-reader.h>
#include <wabt/error-formatter.h>
#include <wabt/interp/binary-reader-interp.h>

#include "host/engine.hpp"

namespace wasmplug::host {
namespace {

namespace wi = wabt::interp;

// Thread keeps its stacks private, and through the public interface a call can be neither
// metered nor traced back. An explicit instantiation may name private members ([temp.spec]/6),
// so no header is patched; the static_asserts below stop the build when upstream moves.
using PushCall = wi::RunResult (wi::Thread::*)(const wi::DefinedFunc&, wi::Trap::Ptr*);

template <auto Frames, auto Values, PushCall Push>
struct ThreadAccess {
    friend auto& frames_of(wi::Thread& thread) { return thread.*Frames; }

    friend auto& values_of(wi::Thread& thread) { return thread.*Values; }

    friend wi::RunResult push_call(wi::Thread& thread, const wi::DefinedFunc& function,
                                   wi::Trap::Ptr* trap) {
        return (thread.*Push)(function, trap);
    }
};

auto& frames_of(wi::Thread& thread);
auto& values_of(wi::Thread& thread);
wi::RunResult push_call(wi::Thread& thread, const wi::DefinedFunc& function, wi::Trap::Ptr* trap);

template struct ThreadAccess<&wi::Thread::frames_, &wi::Thread::values_, &wi::Thread::PushCall>;

static_assert(
    std::is_same_v<decltype(frames_of(std::declval<wi::Thread&>())), std::vector<wi::Frame>&>);
static_assert(
    std::is_same_v<decltype(values_of(std::declval<wi::Thread&>())), std::vector<wi::Value>&>);

// The same for the code that is read: reserved at once, it is not copied as it grows.
template <auto Data>
struct IstreamAccess {
    friend wi::Buffer& bytes_of(wi::Istream& code) { return code.*Data; }
};

wi::Buffer& bytes_of(wi::Istream& code);

template struct IstreamAccess<&wi::Istream::data_>;

// Of modules in four languages the interpreter's code was 2.5 to 4.5 times theirs; what is not
// needed is never touched.
constexpr std::size_t code_growth = 5;

// A Go plugin's is 8 MB: of small pages the kernel would hand over each by a fault.
void reserve(wi::Buffer& code, std::size_t size) {
    constexpr std::uintptr_t huge_page = std::uintptr_t{2} << 20;
    code.reserve(size);
    const auto begin = reinterpret_cast<std::uintptr_t>(code.data());
    const auto first = (begin + huge_page - 1) / huge_page * huge_page;
    const auto last = (begin + size) / huge_page * huge_page;
    if (last > first) {
        ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);  // advice only
    }
}

constexpr int slice = 1000;
constexpr std::size_t max_frames = 20;  // Envoy's --stack-trace-limit

char letter(wabt::Type type) {
    switch (type) {
        case wabt::Type::I32:
            return 'i';
        case wabt::Type::I64:
            return 'I';
        case wabt::Type::F32:
            return 'f';
        case wabt::Type::F64:
            return 'F';
        case wabt::Type::V128:
            return 'v';
        default:
            return 'r';
    }
}

std::string letters(const wi::ValueTypes& types) {
    std::string text;
    for (const auto& type : types) {
        text += letter(type);
    }
    return text;
}

Import::Kind kind_of(wabt::ExternalKind kind) {
    switch (kind) {
        case wabt::ExternalKind::Func:
            return Import::Kind::function;
        case wabt::ExternalKind::Table:
            return Import::Kind::table;
        case wabt::ExternalKind::Memory:
            return Import::Kind::memory;
        case wabt::ExternalKind::Global:
            return Import::Kind::global;
        default:
            return Import::Kind::tag;
    }
}

Signature signature_of(const wi::ExternType& type) {
    const auto* function = wabt::dyn_cast<wi::FuncType>(&type);
    return function ? Signature{letters(function->params), letters(function->results)}
                    : Signature{};
}

wi::Value value_of(char letter, std::uint64_t bits) {
    switch (letter) {
        case 'I':
        case 'F':
            return wi::Value::Make(static_cast<wi::u64>(bits));
        default:
            return wi::Value::Make(static_cast<wi::u32>(bits));
    }
}

std::uint64_t bits_of(char letter, const wi::Value& value) {
    return letter == 'I' || letter == 'F' ? value.Get<wi::u64>() : value.Get<wi::u32>();
}

class WabtInstance;

class WabtModule final : public Module {
  public:
    explicit WabtModule(EngineOptions options) : store_(features()), options_(std::move(options)) {}

    static wabt::Features features() {
        wabt::Features all;
        all.EnableAll();
        return all;
    }

    bool read(std::string_view bytes, std::string& error) {
        wabt::Errors errors;
        wi::ModuleDesc description;
        reserve(bytes_of(description.istream), bytes.size() * code_growth);
        const wabt::Features all = features();
        const wabt::ReadBinaryOptions options(all, nullptr, /*read_debug_names=*/false,
                                              /*stop_on_first_error=*/true,
                                              /*fail_on_custom_section_error=*/false);
        if (wabt::Failed(wi::ReadBinaryInterp("plugin.wasm", bytes.data(), bytes.size(), options,
                                              &errors, &description))) {
            error = wabt::FormatErrorsToString(errors, wabt::Location::Type::Binary);
            while (!error.empty() && error.back() == '\n') {
                error.pop_back();
            }
            return false;
        }
        for (auto& memory : description.memories) {
            limit(memory.type.limits);
        }
        for (const auto& import : description.imports) {
            const auto& type = import.type;
            imports_.push_back(
                {type.module, type.name, kind_of(type.type->kind), signature_of(*type.type)});
        }
        for (const auto& item : description.exports) {
            const auto& type = item.type;
            exports_.push_back({type.name, kind_of(type.type->kind), signature_of(*type.type)});
        }
        // Instantiate() would run the start function without a meter; we call it ourselves.
        for (const auto& start : description.starts) {
            starts_.push_back(start.func_index);
        }
        description.starts.clear();
        module_ = wi::Module::New(store_, std::move(description));
        return true;
    }

    const std::vector<Import>& imports() const override { return imports_; }

    const std::vector<Export>& exports() const override { return exports_; }

    std::unique_ptr<Instance> instantiate(HostCall host, std::uint64_t fuel,
                                          std::optional<Trap>& trap) override;

  private:
    friend class WabtInstance;

    void limit(wabt::Limits& limits) const {
        if (!limits.has_max || limits.max > options_.memory_pages) {
            limits.max = std::max(limits.initial, options_.memory_pages);
            limits.has_max = true;
        }
    }

    bool too_large() const {
        for (const auto& memory : module_->desc().memories) {
            if (memory.type.limits.initial > options_.memory_pages) {
                return true;
            }
        }
        return false;
    }

    wi::Store store_;
    EngineOptions options_;
    wi::Module::Ptr module_;
    std::vector<Import> imports_;
    std::vector<Export> exports_;
    std::vector<wabt::Index> starts_;
};

class WabtInstance final : public Instance {
  public:
    WabtInstance(WabtModule& module, HostCall host)
        : module_(module), store_(module.store_), host_(std::move(host)) {}

    ~WabtInstance() override {
        threads_.clear();
        functions_.clear();
        memory_.reset();
        instance_.reset();
        store_.Collect();
    }

    bool link(std::optional<Trap>& trap) {
        wi::RefVec imports;
        const auto& types = module_.module_->desc().imports;
        for (std::size_t i = 0; i < types.size(); ++i) {
            const auto made = make_import(types[i].type, i);
            if (!made) {
                trap = Trap{Trap::Kind::trap, "cannot provide an import", {}};
                return false;
            }
            imports.push_back(*made);
        }
        wi::Trap::Ptr failed;
        instance_ = wi::Instance::Instantiate(store_, module_.module_.ref(), imports, &failed);
        if (!instance_) {
            trap = Trap{Trap::Kind::trap, failed ? failed->message() : "cannot instantiate", {}};
            return false;
        }
        for (const auto& data : module_.options_.data) {
            const auto memory = store_.UnsafeGet<wi::Memory>(instance_->memories()[0]);
            std::copy(data.bytes.begin(), data.bytes.end(), memory->UnsafeData() + data.address);
        }
        find_exports();
        for (const auto start : module_.starts_) {
            functions_.push_back({store_.UnsafeGet<wi::Func>(instance_->funcs()[start]), {}});
            if (auto result = call(functions_.size() - 1, nullptr, 0); result.trap) {
                trap = std::move(result.trap);
                return false;
            }
        }
        return true;
    }

    std::optional<std::size_t> function(std::string_view name) const override {
        const auto found = names_.find(name);
        return found == names_.end() ? std::nullopt : std::optional(found->second);
    }

    CallResult call(std::size_t function, const std::uint64_t* arguments,
                    std::size_t count) override {
        CallResult result;
        const auto& callee = functions_[function];
        const auto& type = callee.function->type();
        if (count != type.params.size()) {
            result.trap = Trap{Trap::Kind::trap, "called with the wrong number of arguments", {}};
            return result;
        }
        if (wabt::isa<wi::HostFunc>(callee.function.get())) {
            return call_host_function(callee, arguments);
        }
        wi::Thread& thread = acquire_thread();
        auto& values = values_of(thread);
        for (std::size_t i = 0; i < count; ++i) {
            values.push_back(value_of(callee.signature.params[i], arguments[i]));
        }
        wi::Trap::Ptr trap;
        auto state = push_call(thread, *wabt::cast<wi::DefinedFunc>(callee.function.get()), &trap);
        const bool fuel_left = state != wi::RunResult::Ok || run(thread, state, trap);
        if (!fuel_left) {
            result.trap = Trap{Trap::Kind::out_of_fuel, "instruction limit reached", {}};
        } else if (state == wi::RunResult::Return) {
            if (!type.results.empty() && !values.empty()) {
                result.value = bits_of(callee.signature.results[0], values.back());
            }
        } else {
            result.trap = Trap{stopped_ ? Trap::Kind::stopped_by_host : Trap::Kind::trap,
                               trap ? trap->message() : "uncaught exception",
                               {}};
        }
        if (result.trap) {
            result.trap->frames = backtrace(thread);
        }
        release_thread();
        return result;
    }

    std::uint8_t* memory() override { return memory_ ? memory_->UnsafeData() : nullptr; }

    std::size_t memory_size() const override { return memory_ ? memory_->ByteSize() : 0; }

    void set_fuel(std::uint64_t instructions) override { fuel_end_ = spent_ + instructions; }

    std::uint64_t instructions() const override { return spent_; }

  private:
    struct Callee {
        wi::Func::Ptr function;
        Signature signature;
    };

    std::optional<wi::Ref> make_import(const wi::ImportType& type, std::size_t index) {
        if (const auto* function = wabt::dyn_cast<wi::FuncType>(type.type.get())) {
            return make_function(*function, index);
        }
        // Envoy makes whatever memory or table a module wants to import.
        if (const auto* memory = wabt::dyn_cast<wi::MemoryType>(type.type.get())) {
            wi::MemoryType limited = *memory;
            if (limited.limits.initial > module_.options_.memory_pages) {
                return std::nullopt;
            }
            if (!limited.limits.has_max || limited.limits.max > module_.options_.memory_pages) {
                limited.limits.max = module_.options_.memory_pages;
                limited.limits.has_max = true;
            }
            made_memory_ = wi::Memory::New(store_, limited);
            return made_memory_.ref();
        }
        if (const auto* table = wabt::dyn_cast<wi::TableType>(type.type.get())) {
            if (table->limits.initial > 10'000'000) {
                return std::nullopt;
            }
            made_tables_.push_back(wi::Table::New(store_, *table));
            return made_tables_.back().ref();
        }
        return std::nullopt;
    }

    wi::Ref make_function(const wi::FuncType& type, std::size_t index) {
        const std::string params = letters(type.params);
        const std::string results = letters(type.results);
        auto callback = [this, index, params, results](wi::Thread&, const wi::Values& given,
                                                       wi::Values& returned,
                                                       wi::Trap::Ptr* trap) -> wabt::Result {
            std::uint64_t arguments[16] = {};
            for (std::size_t i = 0; i < given.size() && i < 16; ++i) {
                arguments[i] = bits_of(params[i], given[i]);
            }
            HostResult answer;
            try {
                answer = host_(index, arguments);
            } catch (const std::exception& error) {
                // An exception must not cross the interpreter's frames.
                answer.trap = std::string("host: ") + error.what();
            }
            if (answer.trap) {
                stopped_ = true;
                *trap = wi::Trap::New(store_, *answer.trap);
                return wabt::Result::Error;
            }
            if (!returned.empty()) {
                returned[0] = value_of(results[0], answer.value);
            }
            return wabt::Result::Ok;
        };
        host_functions_.push_back(wi::HostFunc::New(store_, type, std::move(callback)));
        return host_functions_.back().ref();
    }

    void find_exports() {
        const auto& exports = module_.module_->desc().exports;
        for (std::size_t i = 0; i < exports.size(); ++i) {
            const auto ref = instance_->exports()[i];
            if (exports[i].type.type->kind == wabt::ExternalKind::Func) {
                names_[exports[i].type.name] = functions_.size();
                functions_.push_back(
                    {store_.UnsafeGet<wi::Func>(ref), signature_of(*exports[i].type.type)});
            } else if (exports[i].type.type->kind == wabt::ExternalKind::Memory) {
                memory_ = store_.UnsafeGet<wi::Memory>(ref);
            }
        }
        if (!memory_ && made_memory_) {
            memory_ = made_memory_;  // imported, not exported again
        }
        for (std::size_t i = 0; i < instance_->funcs().size(); ++i) {
            indices_[instance_->funcs()[i].index] = static_cast<std::uint32_t>(i);
        }
    }

    // Returns false when the fuel ran out.
    bool run(wi::Thread& thread, wi::RunResult& state, wi::Trap::Ptr& trap) {
        const int step = module_.options_.exact ? 1 : slice;
        while (state == wi::RunResult::Ok) {
            if (spent_ >= fuel_end_) {
                return false;
            }
            spent_ += static_cast<std::uint64_t>(step);
            state = thread.Run(step, &trap);
        }
        return true;
    }

    CallResult call_host_function(const Callee& callee, const std::uint64_t* arguments) {
        // A module may export what it imports (proxy_log as malloc); no code of its own runs.
        CallResult result;
        wi::Values given;
        wi::Values returned;
        for (std::size_t i = 0; i < callee.signature.params.size(); ++i) {
            given.push_back(value_of(callee.signature.params[i], arguments[i]));
        }
        wi::Trap::Ptr trap;
        if (wabt::Failed(callee.function->Call(store_, given, returned, &trap))) {
            result.trap = Trap{Trap::Kind::trap, trap ? trap->message() : "trap", {}};
        } else if (!returned.empty()) {
            result.value = bits_of(callee.signature.results[0], returned[0]);
        }
        return result;
    }

    // One thread for each level of host -> guest -> host -> guest: making one costs two
    // allocations of 64 KiB, more than a small callback.
    wi::Thread& acquire_thread() {
        if (depth_ == threads_.size()) {
            threads_.push_back(std::make_unique<wi::Thread>(store_));
            const auto depth = module_.options_.call_depth;
            frames_of(*threads_.back()).reserve(depth);
            values_of(*threads_.back()).reserve(std::size_t{depth} * 16);
        }
        wi::Thread& thread = *threads_[depth_++];
        frames_of(thread).clear();
        values_of(thread).clear();
        return thread;
    }

    void release_thread() {
        --depth_;
        auto& thread = *threads_[depth_];
        if (!frames_of(thread).empty()) {
            // A trap leaves frames, caught exceptions and reference marks behind.
            threads_.resize(depth_);
        }
        stopped_ = false;
    }

    std::vector<Frame> backtrace(wi::Thread& thread) const {
        std::vector<Frame> frames;
        const auto& stack = frames_of(thread);
        for (auto frame = stack.rbegin(); frame != stack.rend() && frames.size() < max_frames;
             ++frame) {
            const auto found = indices_.find(frame->func.index);
            frames.push_back({found == indices_.end() ? 0 : found->second, frame->offset});
        }
        return frames;
    }

    WabtModule& module_;
    wi::Store& store_;
    HostCall host_;
    wi::Instance::Ptr instance_;
    wi::Memory::Ptr memory_;
    wi::Memory::Ptr made_memory_;
    std::vector<wi::Table::Ptr> made_tables_;
    std::vector<wi::HostFunc::Ptr> host_functions_;
    std::vector<Callee> functions_;
    std::map<std::string, std::size_t, std::less<>> names_;
    std::map<std::size_t, std::uint32_t> indices_;
    std::vector<std::unique_ptr<wi::Thread>> threads_;
    std::size_t depth_ = 0;
    bool stopped_ = false;
    std::uint64_t spent_ = 0;
    std::uint64_t fuel_end_ = ~std::uint64_t{0};
};

std::unique_ptr<Instance> WabtModule::instantiate(HostCall host, std::uint64_t fuel,
                                                  std::optional<Trap>& trap) {
    if (too_large()) {
        trap = Trap{Trap::Kind::trap, "memory is larger than the host allows", {}};
        return nullptr;
    }
    auto instance = std::make_unique<WabtInstance>(*this, std::move(host));
    instance->set_fuel(fuel);
    try {
        if (!instance->link(trap)) {
            return nullptr;
        }
    } catch (const std::exception& error) {
        trap = Trap{Trap::Kind::trap, error.what(), {}};
        return nullptr;
    }
    return instance;
}

}  // namespace

bool operator==(const Signature& a, const Signature& b) {
    return a.params == b.params && a.results == b.results;
}

std::unique_ptr<Module> load_module(std::string_view bytes, EngineOptions options,
                                    std::string& error) {
    auto module = std::make_unique<WabtModule>(std::move(options));
    try {
        if (!module->read(bytes, error)) {
            return nullptr;
        }
    } catch (const std::exception& failure) {
        error = failure.what();
        return nullptr;
    }
    return module;
}

}  // namespace wasmplug::host
