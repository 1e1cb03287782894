--- The workspace of a file, and whether suggestions are enabled in it.
---
--- Decisions are stored in the user's data folder, by the workspace's path, rather than in the
--- workspace, whose files may be somebody else's. Called by `parrotlet.server.client` and
--- `parrotlet.suggestions.enablement`.
local M = {}

local MARKERS = { 'pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', '.git', '.hg' }

-- Files of a Python installation, up to where its folder ends: that may lie in a repository, as
-- pyenv's and Homebrew's do, but none of its files belongs to a project.
local INSTALLATIONS = {
  '^(.-)/lib%d*/python3%.%d+t?/',
  '^(.-)/lib%d*/pypy3%.%d+/',
  '^(.-)/[Ll]ib/site%-packages/',
  '^(.-[Pp]ython%d+)/[Ll]ib/',
  '^(.-)/site%-packages/',
  '^(.-)/dist%-packages/',
  '^(.-)/typeshed%-fallback/',
}

--- Whether suggestions are enabled, by workspace.
---@type table<string, boolean>?
local decisions

local function get_store_path()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'workspaces.json')
end

---@return table<string, boolean>
local function load_decisions()
  if not decisions then
    local file = io.open(get_store_path())
    local is_valid, found = pcall(vim.json.decode, file and file:read('*a') or '{}')
    decisions = is_valid and type(found) == 'table' and found or {}
    if file then
      file:close()
    end
  end
  return decisions
end

--- Writes a file; returns whether all of it was written.
---@param path string
---@param text string
---@return boolean
local function write_file(path, text)
  local file = io.open(path, 'w')
  local is_written = file ~= nil and file:write(text) ~= nil
  return file ~= nil and file:close() == true and is_written
end

--- Replaces the stored file atomically, so that another Neovim never reads half of it.
---@return string? err
local function save_decisions()
  local path = get_store_path()
  pcall(vim.fn.mkdir, vim.fs.dirname(path), 'p') -- if that fails, so does what follows
  local temporary_path = ('%s.%d'):format(path, vim.uv.os_getpid())
  local text = vim.json.encode(next(decisions) and decisions or vim.empty_dict())
  if not (write_file(temporary_path, text) and vim.uv.fs_rename(temporary_path, path)) then
    vim.uv.fs_unlink(temporary_path)
    return ('cannot write %s; this lasts until you leave Neovim'):format(path)
  end
end

--- Workspace folders by file name, cached because they are needed at each key.
---@type table<string, string>
local roots = {}

--- Checks whether a file belongs to a Python installation, rather than to a project.
---@param path string
---@param root string The nearest folder with a project marker; its own environments are its own.
local function is_of_installation(path, root)
  for _, pattern in ipairs(INSTALLATIONS) do
    local installation = path:match(pattern)
    if installation then
      return vim.fs.dirname(installation) ~= root
    end
  end
  return false
end

--- Returns the workspace folder: the nearest one with a project marker, or else the file's own.
--- Files of installed Python code have no project.
---@param bufnr integer
---@return string
function M.find_root(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  if not roots[name] then
    local parent = name ~= '' and vim.fs.dirname(name) or vim.uv.cwd() or '.'
    local root = vim.fs.root(bufnr, MARKERS) or parent
    if is_of_installation(vim.fs.normalize(name), vim.fs.normalize(root)) then
      root = parent
    end
    roots[name] = vim.fs.normalize(vim.uv.fs_realpath(root) or root)
  end
  return roots[name]
end

--- Returns the decision for a buffer's workspace, or nil if there is none.
---@param bufnr integer
---@return boolean?
function M.get_decision(bufnr)
  local found = load_decisions()[M.find_root(bufnr)]
  if type(found) == 'boolean' then
    return found
  end
end

--- Stores the decision for a buffer's workspace.
---@param bufnr integer
---@param is_enabled boolean
---@return string? err
function M.set_decision(bufnr, is_enabled)
  decisions = nil -- another Neovim may have changed the file in the meantime
  load_decisions()[M.find_root(bufnr)] = is_enabled
  return save_decisions()
end

return M
