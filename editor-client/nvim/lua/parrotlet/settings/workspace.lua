--- The workspace of a file, and what was decided for it.
---
--- Decisions are kept in the user's own data folder, by the workspace's path: a file within the
--- project could be anybody's. Called by `parrotlet.server.client` and
--- `parrotlet.suggestions.enablement`.
local M = {}

local MARKERS = { 'pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', '.git', '.hg' }

--- Whether something is suggested, by workspace.
---@type table<string, boolean>?
local decisions

local function store()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'workspaces.json')
end

local function load()
  if not decisions then
    local file = io.open(store())
    local is_read, found = pcall(vim.json.decode, file and file:read('*a') or '{}')
    decisions = is_read and type(found) == 'table' and found or {}
    if file then
      file:close()
    end
  end
  return decisions
end

--- Replaces the store at once, so that another Neovim never reads half of it.
---@return string? complaint
local function save()
  local path = store()
  vim.fn.mkdir(vim.fs.dirname(path), 'p')
  local aside = ('%s.%d'):format(path, vim.uv.os_getpid())
  local file = io.open(aside, 'w')
  if not file then
    return ('cannot write %s; this lasts until you leave Neovim'):format(path)
  end
  file:write(vim.json.encode(next(decisions) and decisions or vim.empty_dict()))
  file:close()
  vim.uv.fs_rename(aside, path)
end

--- The folders found, by the names of files: it is asked at each key.
---@type table<string, string>
local roots = {}

--- The workspace's folder: the nearest one that is marked as a project, else the file's own.
---@param bufnr integer
---@return string
function M.root(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  if not roots[name] then
    local own = name ~= '' and vim.fs.dirname(name) or vim.uv.cwd() or '.'
    local root = vim.fs.root(bufnr, MARKERS) or own
    roots[name] = vim.fs.normalize(vim.uv.fs_realpath(root) or root)
  end
  return roots[name]
end

--- What was decided for a buffer's workspace; nil for nothing.
---@param bufnr integer
---@return boolean?
function M.decision(bufnr)
  local found = load()[M.root(bufnr)]
  if type(found) == 'boolean' then
    return found
  end
end

--- Decides for a buffer's workspace, until it is decided otherwise.
---@param bufnr integer
---@param is_on boolean
---@return string? complaint
function M.decide(bufnr, is_on)
  decisions = nil -- another Neovim may have decided something meanwhile
  load()[M.root(bufnr)] = is_on
  return save()
end

return M
